#!/bin/sh
# Installs the line on a Raspberry Pi, or on another 64-bit Debian:
#   sudo sh edge/deploy/install.sh             from a checkout, over the network
#   sh edge/deploy/install.sh --download DIR   on any machine: fill a stick
#   sudo sh DIR/install.sh                     from that stick, without a network
# --help lists the options. Exit codes: 0 done, 1 failed, 2 bad usage or system, 3 refused.
set -eu

fail() {
    echo "error: $1" >&2
    exit 2
}

here=$(cd "$(dirname "$0")" && pwd)
python=/usr/bin/python3
kit=$here
plain=yes
previous=
for word in "$@"; do
    case $word in
    --offline=*) kit=${word#--offline=} ;;
    --offline | --download | --uninstall | --help | -h) plain=no ;;
    --download=*) plain=no ;;
    esac
    [ "$previous" != --offline ] || kit=$word
    case $word in --download | --download=*) python=$(command -v python3 || echo "$python") ;; esac
    previous=$word
done

# The program itself reports all else; these come first, since they may keep it from starting.
machine=$(uname -m)
packages=$(dpkg --print-architecture 2>/dev/null || echo "$machine")
case $packages in
armhf | armel | armv* | i?86)
    fail "$machine kernel, programs of 32 bits ($packages): the TFLite runtime has no wheels for 32 bits; install the 64-bit Raspberry Pi OS, Bookworm or Trixie"
    ;;
esac
if [ ! -x "$python" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get -q -y update >/dev/null && apt-get -q -y install --no-install-recommends python3 >/dev/null
fi
[ -x "$python" ] || fail "$python is not there; on Debian: sudo apt install python3"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    fail "$("$python" -V 2>&1) is too old; install the 64-bit Raspberry Pi OS, Bookworm or Trixie"

# A kit has the program as one wheel, which Python imports from; in a checkout it lies above.
for wheel in "$kit"/ewaste_edge-*.whl; do
    [ -f "$wheel" ] || continue
    case $plain in yes)
        case " $* " in *" --offline"*) ;; *) set -- --offline "$kit" "$@" ;; esac
        ;;
    esac
    PYTHONPATH=$(cd "$(dirname "$wheel")" && pwd)/${wheel##*/}
done
[ -n "${PYTHONPATH:-}" ] && [ "${PYTHONPATH%.whl}" != "$PYTHONPATH" ] || PYTHONPATH=$here/../..
export PYTHONPATH
PYTHONDONTWRITEBYTECODE=1 exec "$python" -s -m edge.setup "$@"
