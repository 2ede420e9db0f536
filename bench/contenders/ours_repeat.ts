import * as entry from "../../mod.ts";
import type { Contender, Place } from "./contender.ts";
import { targetOf, unbound } from "./ours.ts";

/** The part of a Connector used here. */
interface Connector {
  connect(): Promise<entry.Session>;
}

/** A Connector, which keeps what makes the next connection cheaper. */
export const oursRepeat: Contender = repeating(() => ({}));

/** The same without channel binding. */
export const oursUnboundRepeat: Contender = repeating(unbound);

function repeating(more: () => entry.TargetObject): Contender {
  const connectors = new Map<string, Connector>();
  const connectorTo = (place: Place): Connector => {
    const id = JSON.stringify(place);
    const known = connectors.get(id);
    if (known !== undefined) return known;
    const { createConnector } = entry as unknown as {
      createConnector(target: entry.TargetObject): Connector;
    };
    const connector = createConnector({ ...targetOf(place), ...more() });
    connectors.set(id, connector);
    return connector;
  };
  return {
    async open(place) {
      const session = await connectorTo(place).connect();
      return { close: () => session.close() };
    },
    forget: () => connectors.clear(),
  };
}
