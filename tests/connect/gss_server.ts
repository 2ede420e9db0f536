/** Servers that speak GSSAPI with the fake provider's contexts. */
import { GssTransport } from "../../src/connect/gss_transport.ts";
import { gssFrame } from "../../src/wire/gss_frames.ts";
import { clientToken, FakeContext } from "../gss/fake_provider.ts";
import { GREETING, type Play } from "./fake_server.ts";
import type { Peer } from "./peer.ts";

/** The server's token; what is in it is of no interest to the fake context. */
export const SERVER_TOKEN: Uint8Array = new TextEncoder().encode("server token");
/** `G`, `N` and `S`, as the answers to GSSENCRequest and SSLRequest. */
export const G: Uint8Array = Uint8Array.of(0x47);
export const N: Uint8Array = Uint8Array.of(0x4e);
export const S: Uint8Array = Uint8Array.of(0x53);
/** How many octets the server packs at once. */
const MAX_PLAIN = 8_192;

/** Takes a token frame of the client. */
export async function takeToken(peer: Peer): Promise<Uint8Array> {
  const header = await peer.raw(4);
  const token = await peer.raw(new DataView(header.buffer, header.byteOffset).getUint32(0));
  peer.sent.push("token");
  return token;
}

/** Answers GSSENCRequest and sets the encryption up; from then on the peer speaks through it. */
export async function encrypt(peer: Peer, tokens = 1): Promise<void> {
  await peer.packet();
  await peer.send(G);
  for (let count = 0; count < tokens; count++) {
    await takeToken(peer);
    await peer.send(gssFrame(SERVER_TOKEN));
  }
  peer.upgrade((inner) => new GssTransport(inner, new FakeContext(), MAX_PLAIN));
}

/** Lets every client in that encrypts by GSSAPI. */
export const encrypted: Play = async (peer) => {
  await encrypt(peer);
  await peer.packet();
  await peer.send(...GREETING);
};

/** The first frame of the client, as it stands on the wire. */
export const FIRST_FRAME: Uint8Array = gssFrame(clientToken(0));
