/** What must be on the machine before anything is built, and how it gets there. */
import { existsSync } from "node:fs";
import { run, SetupError, succeeds } from "./run.mjs";

const RUST = "1.89";

/** Each need: how to see that it is there, and the Debian packages that bring it. */
const toBuild = [
  { what: "a C linker", present: () => succeeds("cc", ["--version"]), packages: ["gcc", "libc6-dev"] },
  {
    what: "Python 3 with venv",
    present: () => succeeds("python3", ["-c", "import venv, ensurepip"]),
    packages: ["python3", "python3-venv"],
  },
];
const toTest = [
  { what: "Chromium", present: () => existsSync(chromium()), packages: ["chromium"] },
  {
    what: "a Vulkan driver",
    present: () =>
      succeeds("sh", ["-c", "ls /usr/share/vulkan/icd.d/*.json /etc/vulkan/icd.d/*.json 2>/dev/null | grep -q ."]),
    packages: ["mesa-vulkan-drivers", "libvulkan1"],
  },
];

/** The browser that the tests drive. */
export function chromium() {
  return process.env.CHROMIUM ?? "/usr/bin/chromium";
}

/** Installs what is missing, or stops with the exact command that would. */
export async function prepareSystem({ forTests }) {
  if (!succeeds("cargo", ["--version"])) {
    throw new SetupError(
      `cargo is missing. Install Rust ${RUST} or newer: \`curl https://sh.rustup.rs -sSf | sh\`, then run this again.`,
    );
  }
  const missing = [...toBuild, ...(forTests ? toTest : [])].filter((need) => !need.present());
  if (missing.length === 0) return;
  const names = missing.map((need) => need.what).join(", ");
  const packages = missing.flatMap((need) => need.packages);
  const isRoot = process.getuid?.() === 0;
  if (!isRoot || !succeeds("apt-get", ["--version"])) {
    throw new SetupError(
      `missing: ${names}. Install with \`sudo apt-get install ${packages.join(" ")}\` (or your system's packages), then run this again.`,
    );
  }
  console.log(`system: installing ${names}`);
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  await run("apt-get", ["update"], { env, quiet: true });
  await run("apt-get", ["install", "-y", "--no-install-recommends", ...packages], { env, quiet: true });
}
