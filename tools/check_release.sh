#!/usr/bin/env bash
# Builds wheel and sdist, checks them, and tries the wheel as somebody would who has nothing else: in a fresh virtual
# environment, in a folder outside of the repository, with an empty cache and the network blocked.
#
#   tools/check_release.sh [--out DIST] [--borrow PYTHON] [--no-sbom]
#
# --out      where wheel, sdist and SBOM go; the default is a temporary folder, removed at the end
# --borrow   instead of fetching dependencies, take those of an environment that has them (its dancekit is not taken)
# --no-sbom  no software bill of materials
#
# Needs `pip install 'dancekit[release]'` for building and checking: build tools are not part of what is tried. About ten
# minutes on two cores, most of it `dancekit demo`.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out="" borrow="" sbom=yes
while [ $# -gt 0 ]; do
  case "$1" in
    --out) mkdir -p "$2"; out=$(cd "$2" && pwd); shift 2 ;;
    --borrow) borrow=$(command -v "$2"); shift 2 ;;
    --no-sbom) sbom=no; shift ;;
    *) sed -n '5,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
done
export PYTHONDONTWRITEBYTECODE=1
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV
temporary=$(mktemp -d "${TMPDIR:-/tmp}/dancekit-release.XXXXXX")
trap 'rm -rf "$temporary"' EXIT
out=${out:-$temporary/dist}

step() {
  printf '\n==> [%4d s] %s\n' "$SECONDS" "$*"
  "$@"
}

cd "$root"
step python3 -m hatchling build -t wheel -t sdist -d "$out"
wheel=$(ls -t "$out"/dancekit-*.whl | head -n 1) sdist=$(ls -t "$out"/dancekit-*.tar.gz | head -n 1)
step python3 -m twine check --strict "$wheel" "$sdist"
size=$(wc -c <"$wheel")
echo "wheel $((size / 1000000)) MB, sdist $(($(wc -c <"$sdist") / 1000000)) MB"
if [ "$size" -ge 60000000 ]; then
  echo "the wheel has 60 MB or more" >&2
  exit 1
fi

step python3 -m venv "$temporary/venv"
python="$temporary/venv/bin/python"
if [ -n "$borrow" ]; then
  # a plain line of a .pth adds the folder and no more: an editable dancekit in it stays out
  packages=$("$borrow" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  echo "$packages" >"$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/borrowed.pth"
  step "$python" -m pip install --quiet --no-deps --no-index --ignore-installed "$wheel"
else
  step "$python" -m pip install --quiet "$wheel"
  step "$python" -m pip check
fi
if [ "$sbom" = yes ]; then
  name=$(basename "$wheel"); name=${name%-py3*}
  step python3 -m cyclonedx_py environment --pyproject pyproject.toml --output-reproducible --validate \
    --output-file "$out/$name.cdx.json" "$python"
fi

# ---- from here on: another folder, no network, nothing of the repository
cd "$temporary"
mkdir try && cd try
export DANCEKIT_OFFLINE=1 DANCEKIT_CACHE="$temporary/cache" PATH="$temporary/venv/bin:$PATH"
if unshare --map-root-user --net true 2>/dev/null; then
  alone=(unshare --map-root-user --net)
else # macOS: every connection is refused by a proxy that is not there
  echo "no network namespaces here: only DANCEKIT_OFFLINE and a dead proxy keep the network away"
  export HTTP_PROXY=http://127.0.0.1:9 HTTPS_PROXY=http://127.0.0.1:9 ALL_PROXY=http://127.0.0.1:9
  alone=(env)
fi
try() { step "${alone[@]}" "$@"; }

where=$(python -c 'import dancekit; print(dancekit.__file__)')
case "$where" in
  "$temporary"/venv/*) echo "dancekit is $where" ;;
  *) echo "dancekit is $where, not what was built" >&2; exit 1 ;;
esac
samples=$(python -c 'from dancekit.resources import data_path; print(data_path("zoo/samples"))')
try dancekit --version
try dancekit ls
try dancekit ls recipes --json
try dancekit validate quick tiny edn/full pix2pixhd/base pix2pix/unet
try dancekit show quick
try dancekit zoo ls
try dancekit zoo verify
try dancekit pose "$samples/source.mp4" --out dance.npz
try dancekit pose "$samples/source.mp4" --out dance.json --format coco
try dancekit train --target "$samples/target.mp4" --recipe tiny --out runs/try train.steps=5
try dancekit transfer dance.npz --dancer runs/try/dancer.safetensors --out mine.mp4
try dancekit transfer "$samples/source.mp4" --dancer demo --duration 1 --out shipped.mp4
try dancekit demo --out demo --json
for made in dance.npz dance.json runs/try/dancer.safetensors mine.mp4 shipped.mp4 demo/transfer.mp4 demo/compare.mp4; do
  test -s "$made" || { echo "$made is missing or empty" >&2; exit 1; }
done
printf '\n==> [%4d s] the release works\n' "$SECONDS"
