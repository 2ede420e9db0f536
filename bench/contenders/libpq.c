/*
 * Measures libpq, whichever is given: libpq_client <path of libpq.so.5>. Started by libpq.ts.
 *
 * Reads orders from standard input, one a line: "batch <count> <conninfo>", "burst <count> <conninfo>" or
 * "idle <count> <conninfo>"; answers each with one line of JSON, as worker.ts does.
 */
#include <dlfcn.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

typedef struct pg_conn PGconn;

/* Of libpq-fe.h, which a machine with the library alone does not have. */
enum { CONNECTION_OK = 0, CONNECTION_BAD = 1 };
enum { POLLING_FAILED = 0, POLLING_READING = 1, POLLING_WRITING = 2, POLLING_OK = 3 };

static PGconn *(*connect_db)(const char *);
static PGconn *(*connect_start)(const char *);
static int (*connect_poll)(PGconn *);
static int (*status_of)(const PGconn *);
static int (*socket_of)(const PGconn *);
static const char *(*error_of)(const PGconn *);
static void (*finish)(PGconn *);
static int (*lib_version)(void);

static void *symbol(void *library, const char *name)
{
	void *found = dlsym(library, name);
	if (found == NULL) {
		fprintf(stderr, "Cannot use libpq: it has no %s\n", name);
		exit(1);
	}
	return found;
}

static double now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

static double cpu_us(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 + usage.ru_utime.tv_usec +
		usage.ru_stime.tv_usec;
}

static double rss_octets(void)
{
	long total = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");
	if (file != NULL) {
		if (fscanf(file, "%ld %ld", &total, &resident) != 2) resident = 0;
		fclose(file);
	}
	return (double) resident * sysconf(_SC_PAGESIZE);
}

static void check(PGconn *conn)
{
	if (status_of(conn) == CONNECTION_OK) return;
	fprintf(stderr, "Cannot connect: %s\n", error_of(conn));
	exit(1);
}

static void batch(int count, const char *conninfo)
{
	double *ready = calloc(count, sizeof(double)), *total = calloc(count, sizeof(double));
	double cpu = cpu_us();
	for (int at = 0; at < count; at++) {
		double began = now_us();
		PGconn *conn = connect_db(conninfo);
		ready[at] = now_us() - began;
		check(conn);
		finish(conn);
		total[at] = now_us() - began;
	}
	cpu = (cpu_us() - cpu) / count;
	printf("{\"cpuUs\":%.1f,\"readyUs\":[", cpu);
	for (int at = 0; at < count; at++) printf("%s%.1f", at ? "," : "", ready[at]);
	printf("],\"totalUs\":[");
	for (int at = 0; at < count; at++) printf("%s%.1f", at ? "," : "", total[at]);
	printf("]}\n");
	free(ready);
	free(total);
}

/* All at once by one poll loop; leaves them open. */
static PGconn **open_all(int count, const char *conninfo)
{
	PGconn **conns = calloc(count, sizeof(PGconn *));
	struct pollfd *fds = calloc(count, sizeof(struct pollfd));
	int open = count;
	for (int at = 0; at < count; at++) {
		conns[at] = connect_start(conninfo);
		if (conns[at] == NULL || status_of(conns[at]) == CONNECTION_BAD) check(conns[at]);
		fds[at].fd = socket_of(conns[at]);
		fds[at].events = POLLOUT;
	}
	while (open > 0) {
		if (poll(fds, count, -1) < 0) exit(1);
		for (int at = 0; at < count; at++) {
			if (fds[at].fd < 0 || fds[at].revents == 0) continue;
			int state = connect_poll(conns[at]);
			if (state == POLLING_FAILED) check(conns[at]);
			fds[at].fd = state == POLLING_OK ? -1 : socket_of(conns[at]);
			fds[at].events = state == POLLING_READING ? POLLIN : POLLOUT;
			if (state == POLLING_OK) open--;
		}
	}
	free(fds);
	return conns;
}

static void close_all(PGconn **conns, int count)
{
	for (int at = 0; at < count; at++) finish(conns[at]);
	free(conns);
}

static void burst(int count, const char *conninfo)
{
	double began = now_us(), cpu = cpu_us();
	PGconn **conns = open_all(count, conninfo);
	printf("{\"wallUs\":%.0f,\"cpuUs\":%.0f,\"derivations\":%d}\n", now_us() - began, cpu_us() - cpu,
		-1);
	close_all(conns, count);
}

static void idle(int count, const char *conninfo)
{
	close_all(open_all(10, conninfo), 10);
	double rss = rss_octets();
	PGconn **conns = open_all(count, conninfo);
	printf("{\"rssOctets\":%.0f,\"heapOctets\":-1}\n", (rss_octets() - rss) / count);
	close_all(conns, count);
}

int main(int argc, char **argv)
{
	void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL) : NULL;
	if (library == NULL) {
		fprintf(stderr, "Cannot open libpq: %s\n", argc == 2 ? dlerror() : "give its path");
		return 1;
	}
	connect_db = symbol(library, "PQconnectdb");
	connect_start = symbol(library, "PQconnectStart");
	connect_poll = symbol(library, "PQconnectPoll");
	status_of = symbol(library, "PQstatus");
	socket_of = symbol(library, "PQsocket");
	error_of = symbol(library, "PQerrorMessage");
	finish = symbol(library, "PQfinish");
	lib_version = symbol(library, "PQlibVersion");
	const char *(*ssl_version)(int) = dlsym(RTLD_DEFAULT, "OpenSSL_version");
	printf("{\"version\":%d,\"ssl\":\"%s\"}\n", lib_version(), ssl_version ? ssl_version(0) : "none");
	fflush(stdout);
	char line[4096];
	while (fgets(line, sizeof line, stdin) != NULL) {
		char order[16];
		int count, read = 0;
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%15s %d %n", order, &count, &read) != 2) return 1;
		if (strcmp(order, "batch") == 0) batch(count, line + read);
		else if (strcmp(order, "burst") == 0) burst(count, line + read);
		else if (strcmp(order, "idle") == 0) idle(count, line + read);
		else return 1;
		fflush(stdout);
	}
	return 0;
}
