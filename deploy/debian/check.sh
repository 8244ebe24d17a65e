#!/bin/sh
# Installs the package, upgrades, removes and purges it. It needs root, and a machine
# on which nobody runs Milepost: CI's.
set -eu
package=$1

is() { # is WHAT WANT GOT
	[ "$2" = "$3" ] || { echo "check.sh: $1: want '$2', got '$3'" >&2; exit 1; }
}

# A machine may leave man pages out (path-exclude), so this asks the package.
for file in ./usr/share/man/man1/milepost.1.gz ./usr/share/bash-completion/completions/milepost ./usr/share/zsh/vendor-completions/_milepost ./usr/share/fish/vendor_completions.d/milepost.fish; do
	is "$file in the package" 1 "$(dpkg-deb --fsys-tarfile "$package" | tar -t | grep -Fxc "$file")"
done

dpkg -i "$package"
is "the mode of the settings" 600 "$(stat -c %a /etc/milepost/milepost.env)"
is "the program" milepost "$(milepost version | cut -d' ' -f1)"
echo "MILEPOST_PUBLIC_URL=https://hooks.example.com" >>/etc/milepost/milepost.env
milepostctl people add olivia >/tmp/milepost-check.$$ 2>&1 || { cat /tmp/milepost-check.$$ >&2; exit 1; }
rm -f /tmp/milepost-check.$$
is "the files of a command" yes "$([ -e /var/lib/milepost/milepost.db ] && echo yes)"

dpkg -i "$package" # once more, as an upgrade
is "the settings after an upgrade" 1 "$(grep -c '^MILEPOST_PUBLIC_URL=https://hooks.example.com$' /etc/milepost/milepost.env)"

dpkg -r milepost
is "the program after a removal" no "$([ -e /usr/bin/milepost ] && echo yes || echo no)"
is "the data after a removal" yes "$([ -e /var/lib/milepost/milepost.db ] && echo yes)"
is "the settings after a removal" yes "$([ -e /etc/milepost/milepost.env ] && echo yes)"

dpkg -P milepost
for left in /etc/milepost /var/lib/milepost /var/lib/private/milepost /lib/systemd/system/milepost.service /usr/share/doc/milepost; do
	is "$left after a purge" no "$([ -e "$left" ] && echo yes || echo no)"
done
echo "check.sh: the package was installed, upgraded, removed and purged"
