import { md5 } from "@noble/hashes/legacy.js";

const HEX = "0123456789abcdef";
const PREFIX = "md5";

/**
 * The answer to AuthenticationMD5Password: "md5", then the hex of MD5(hex(MD5(password, user)),
 * salt).
 *
 * MD5 is no protection on an open network; the method exists for servers that still ask for it.
 *
 * @param password The password's octets as given; no SASLprep.
 * @param user The octets of the user name as sent in StartupMessage.
 * @param salt The four octets of the request.
 * @returns 35 ASCII octets, without a terminator.
 */
export function md5Password(password: Uint8Array, user: Uint8Array, salt: Uint8Array): Uint8Array {
  const inner = hex(md5.create().update(password).update(user).digest());
  const outer = hex(md5.create().update(inner).update(salt).digest());
  const answer = new Uint8Array(PREFIX.length + outer.length);
  for (let at = 0; at < PREFIX.length; at++) answer[at] = PREFIX.charCodeAt(at);
  answer.set(outer, PREFIX.length);
  return answer;
}

/** Lower-case hex digits as ASCII octets. */
function hex(octets: Uint8Array): Uint8Array {
  const digits = new Uint8Array(octets.length * 2);
  octets.forEach((octet, at) => {
    digits[2 * at] = HEX.charCodeAt(octet >> 4);
    digits[2 * at + 1] = HEX.charCodeAt(octet & 15);
  });
  return digits;
}
