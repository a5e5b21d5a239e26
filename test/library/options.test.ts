import { describe, expect, it } from "vitest";
import { InterruptedError, NibbleLabError, OptionError } from "nibble-lab";
import { checkOptions, choice, flag, integer, nearest, real, signal, text } from "../../kernel/library/lib/options.js";

const rules = {
  bits: integer({ from: 2, to: 8, fallback: 4 }),
  group: choice(["channel", "tensor"]),
  double: flag({ fallback: false }),
  rate: real({ from: 0 }),
  label: text({ fallback: "x" }),
  signal: signal(),
};

describe("checkOptions", () => {
  it("fills in defaults and leaves the rest undefined", () => {
    expect(checkOptions("op", { rate: 0.5 }, rules)).toEqual({
      bits: 4,
      group: undefined,
      double: false,
      rate: 0.5,
      label: "x",
      signal: undefined,
    });
    expect(checkOptions("op", undefined, rules).bits).toBe(4);
  });

  it("names an unknown option, all that are allowed, and the nearest", () => {
    expect(() => checkOptions("quantize", { bit: 4 }, rules)).toThrow(
      '[quantize] Unknown option "bit". Allowed: bits, group, double, rate, label, signal. Did you mean "bits"?',
    );
  });

  it.each([
    [{ bits: 9 }, "[op] bits is 9. Allowed: a whole number from 2 to 8."],
    [{ bits: 2.5 }, "[op] bits is 2.5. Allowed: a whole number from 2 to 8."],
    [{ bits: "4" }, '[op] bits is "4". Allowed: a whole number from 2 to 8.'],
    [{ group: "chanel" }, '[op] group is "chanel". Allowed: "channel", "tensor". Did you mean "channel"?'],
    [{ rate: NaN }, "[op] rate is NaN. Allowed: a number of at least 0."],
    [{ rate: -1 }, "[op] rate is -1. Allowed: a number of at least 0."],
    [{ double: 1 }, "[op] double is 1. Allowed: true or false."],
    [{ signal: {} }, "[op] signal is an object (Object). Allowed: an AbortSignal."],
  ])("refuses %o", (given, message) => {
    expect(() => checkOptions("op", given, rules)).toThrow(OptionError);
    expect(() => checkOptions("op", given, rules)).toThrow(message);
  });

  it("suggests nothing where nothing is near", () => {
    expect(nearest("zzzzzz", ["bits", "group"], 3)).toEqual([]);
    expect(nearest("gruop", ["bits", "group"], 3)).toEqual(["group"]);
  });
});

describe("errors", () => {
  it("carry a code equal to their name, the operation, and details", () => {
    const error = new InterruptedError("train", "Stopped.", { step: 3 });
    expect(error).toBeInstanceOf(NibbleLabError);
    expect([error.name, error.code, error.op, error.message]).toEqual([
      "InterruptedError",
      "InterruptedError",
      "train",
      "[train] Stopped.",
    ]);
    expect(error.details).toEqual({ step: 3 });
  });
});
