#!/bin/sh
# Installs the line from the card that the board was started from. cloud-init puts this script and
# its service on the board; it runs at each start until it has succeeded (docs/card.md).
#   first-boot.sh BOOT IDENTITY     the folder of the boot partition, and which card it should be
set -u
boot=$1
identity=$2
card=$boot/ewaste-edge
report=$boot/ewaste-edge.txt
settings=/etc/ewaste-edge
again='write the card again with ewaste-edge card'
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# One line on the console; the same and all details in a file that any computer reads from the card.
finish() {
    echo "ewaste-edge: $2"
    { echo "$2" && cat "$log"; } >"$report.new" 2>/dev/null && mv "$report.new" "$report" && sync
    exit "$1"
}

fail() {
    finish 1 "error: $1"
}

[ -d "$card" ] || fail "$card: not there: this is another card, or half a copy; $again"
[ -f "$card/card.sha256" ] || fail "$card/card.sha256: missing; $again"
found=$(sha256sum <"$card/card.sha256")
case $found in
"$identity"*) ;;
*) fail "$card: belongs to another card than user-data; $again" ;;
esac
while read -r digest name; do
    path=$card/$name
    if [ ! -f "$path" ]; then
        case $name in
        kit/*) fail "$path: missing, so there is no kit to install from; $again" ;;
        root.json) fail "$path: missing: the public keys that updates are trusted by; $again" ;;
        *) fail "$path: missing; $again" ;;
        esac
    fi
    found=$(sha256sum <"$path")
    [ "${found%% *}" = "$digest" ] || fail "$path: damaged, or changed by hand; $again"
done <"$card/card.sha256"

mkdir -p "$settings"
if [ -f "$card/root.json" ]; then
    install -m 0644 "$card/root.json" "$settings/.root.json" &&
        mv "$settings/.root.json" "$settings/root.json" || fail "$settings/root.json: cannot be written"
fi
set -- --config "$card/line.toml"
[ ! -d "$card/bundle" ] || set -- "$@" --bundle "$card/bundle"
echo "ewaste-edge: installing from the card, which takes minutes"
if ! sh "$card/kit/install.sh" "$@" >"$log" 2>&1; then
    reason=$(grep '^error: ' "$log" | tail -n 1)
    fail "${reason#error: }"
fi
: >"$settings/card-$identity" && sync
if systemctl is-active --quiet ewaste-line.service; then
    finish 0 "installed from the card, and the line runs"
fi
finish 0 "installed from the card, but the line does not start; see: journalctl -u ewaste-line -n 20"
