#!/bin/sh
# Get one library's source:  vendor/fetch.sh NAME  prints "VERSION SHA256 TARBALL".
#
# A tarball in vendor/cache/ is taken if it is the lock's.  Otherwise apt fetches Debian's source package, with a state
# of its own in build/vendor/apt, so that neither root nor a change to the machine's sources is needed.
set -eu
cd "$(dirname "$0")/.."

name=$1
entry=$(grep "^$name " vendor/lock) || { echo "vendor/lock does not name $name" >&2; exit 1; }
read -r _ package suites series minimum known _ sha256 _ <<END
$entry
END
apt_dir=$PWD/build/vendor/apt
tarballs=build/vendor/tarballs
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

fail() {
    echo "vendor: $*" >&2
    exit 1
}

sha256_of() {
    sha256sum "$1" | cut -d ' ' -f 1
}

# libzstd_1.5.7+dfsg.orig.tar.xz -> 1.5.7; the suffix is Debian's, for files it has left out.
version_of() {
    basename "$1" | sed 's/^[^_]*_//; s/\.orig\.tar\..*//; s/[+~].*//'
}

# The newest tarball of the package in a directory, or nothing.
tarball_in() {
    find "$1" -maxdepth 1 -name "${package}_*.orig.tar.*" ! -name '*.asc' 2>/dev/null | sort -V | tail -n 1
}

# The address of the machine's Debian mirror, from apt itself: it knows both forms of sources files.
mirror() {
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-sid}")
    apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
        awk -v codename="$codename" '
            $2 == "main" && ($1 == codename || $1 ~ /^(stable|oldstable|testing|unstable|sid)$/) { print $3; exit }'
}

# Ask one suite for the source package; apt refuses what is not signed by Debian.
# A mirror that lags is taken: an old index can only bring what the lock's minimum lets pass.
apt_fetch() {
    suite=$1
    mkdir -p "$apt_dir/lists/partial" "$apt_dir/cache/archives/partial" "$tarballs"
    echo "deb-src [signed-by=$keyring] $mirror $suite main" >"$apt_dir/sources.list"
    # The machine's settings (a proxy, say) without its hooks: those of a container image delete files of the real apt.
    apt-config dump | grep -vE '^(Dir|DPkg|APT::Update)\b' >"$apt_dir/apt.conf"
    cat >>"$apt_dir/apt.conf" <<END
Dir::Etc::parts "/dev/null";
Dir::Etc::main "/dev/null";
Dir::State "$apt_dir";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "$apt_dir/cache";
Dir::Etc::sourcelist "$apt_dir/sources.list";
Dir::Etc::sourceparts "/dev/null";
APT::Sandbox::User "";
Acquire::Check-Valid-Until "false";
Acquire::Retries "3";
END
    (
        export APT_CONFIG="$apt_dir/apt.conf"
        apt-get -qq --error-on=any update && cd "$tarballs" &&
            apt-get -qq source --tar-only --download-only "$package/$suite"
    )
}

# The known tarball may stand in the cache, laid there by an earlier run or by hand.
tarball=$(tarball_in vendor/cache)
if [ -n "$tarball" ]; then
    got=$(sha256_of "$tarball")
    [ "$got" = "$sha256" ] ||
        fail "$tarball is not the file that vendor/lock names (sha256 $got, expected $sha256): remove it"
    echo "$(version_of "$tarball") $sha256 $tarball"
    exit
fi

# An earlier run may have fetched a newer point release.
tarball=$(tarball_in "$tarballs")
if [ -z "$tarball" ]; then
    mirror=$(mirror)
    [ -n "$mirror" ] || fail "unable to find a Debian mirror in this machine's apt sources; put the tarball of $package $known into vendor/cache/"
    for suite in $(echo "$suites" | tr , ' '); do
        echo "vendor: fetching the source of $package from Debian $suite" >&2
        apt_fetch "$suite" >&2 && break
    done
    tarball=$(tarball_in "$tarballs")
    [ -n "$tarball" ] || fail "unable to fetch the source of $package ($suites); is the network there, and debian-archive-keyring new? Or put the tarball of $package $known into vendor/cache/"
fi

version=$(version_of "$tarball")
got=$(sha256_of "$tarball")
case $version in
    "$series" | "$series".*) ;;
    *) fail "$package $version is not of the series $series that vendor/lock names" ;;
esac
dpkg --compare-versions "$version" ge "$minimum" || fail "$package $version is older than $minimum"
if [ "$got" = "$sha256" ]; then
    mkdir -p vendor/cache
    mv "$tarball" vendor/cache/
    tarball=vendor/cache/$(basename "$tarball")
elif [ "$version" = "$known" ]; then
    rm "$tarball"
    fail "the mirror's $package $version is not the file that vendor/lock names (sha256 $got, expected $sha256)"
else
    echo "vendor: $package $version instead of the known $known; its signature is good, its hash is not in vendor/lock" >&2
fi
echo "$version $got $tarball"
