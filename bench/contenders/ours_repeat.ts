import {
  type ConnectOptions,
  type Connector,
  createConnector,
  type TargetObject,
} from "../../mod.ts";
import { type Contender, FIRST_QUERY, type Opened, type Place } from "./contender.ts";
import { targetOf, unbound } from "./ours.ts";

/** A Connector, which keeps what makes the next connection cheaper. */
export const oursRepeat: Contender = repeating(() => ({}));

/** The same without channel binding. */
export const oursUnboundRepeat: Contender = repeating(unbound);

function repeating(more: () => TargetObject): Contender {
  const connectors = new Map<string, Connector>();
  const connectorTo = (place: Place): Connector => {
    const id = JSON.stringify(place);
    const known = connectors.get(id) ?? createConnector({ ...targetOf(place), ...more() });
    connectors.set(id, known);
    return known;
  };
  const open = async (place: Place, options: ConnectOptions): Promise<Opened> => {
    const session = await connectorTo(place).connect(options);
    await session.firstResult;
    return { close: () => session.close() };
  };
  return {
    open: (place) => open(place, {}),
    openWithQuery: (place) => open(place, { firstQuery: FIRST_QUERY }),
    forget: () => connectors.clear(),
  };
}
