# Sourced by the tools beside it, which set `root` to the folder of the repository.
# `environment EXTRAS…` leaves a `.venv` with Oyster, those extras and the pinned packages. Once that stands, it
# only compares a checksum: no Python starts.

venv=$root/.venv
# What .venv was made from, and the extras it has.
stamp=$venv/oyster-set-up
# Says `creating` or `updating` while a set-up runs, and after one that was cut off.
unfinished=$venv/oyster-unfinished

# glibc asks for huge pages: without them every training step faults its memory in anew, 4 KiB at a time, and dynamics
# training on two cores ran at about 140 instead of 210 frames/s (half of the time was the kernel's).
export GLIBC_TUNABLES="glibc.malloc.hugetlb=1${GLIBC_TUNABLES:+:$GLIBC_TUNABLES}"

say() {
    printf '%s\n' "$*" >&2
}

# The folder counts because an editable install points at it.
fingerprint() {
    {
        printf '%s\n' "$root"
        cat "$root/pyproject.toml" "$root/constraints.txt" "$venv/pyvenv.cfg"
    } | cksum
}

# Whether .venv is up to date and has the extras.
ready() {
    [ -x "$venv/bin/python" ] && [ -r "$stamp" ] || return 1
    made_from='' installed=''
    { read -r made_from && read -r installed; } <"$stamp" || return 1
    [ "$made_from" = "$(fingerprint)" ] || return 1
    for extra in "$@"; do
        case " $installed " in
        *" $extra "*) ;;
        *) return 1 ;;
        esac
    done
}

# Prints the path of the Python called $1 if it runs, is new enough, can make environments and is of version $2.
suits() {
    PYENV_VERSION=$2 "$1" - "$2" 2>/dev/null <<'EOF'
import ensurepip, sys, venv

if sys.version_info < (3, 12) or not "{}.{}".format(*sys.version_info).startswith(sys.argv[1]):
    sys.exit(1)
print(getattr(sys, "_base_executable", sys.executable))
EOF
}

# Prints the path of a Python to make .venv with: of the version in .python-version if there is one, or else any that
# will do. A name on the PATH is no proof of one, for version managers leave stand-ins there that fail.
find_python() {
    read -r preferred <"$root/.python-version"
    for version in "$preferred" 3.12 3.14 ''; do
        for name in "python$version" python3 python; do
            old_ifs=$IFS
            IFS=:
            for folder in $PATH; do
                [ -x "$folder/$name" ] && suits "$folder/$name" "$version" && return
            done
            IFS=$old_ifs
        done
        suits "$(uv python find --no-project "${version:->=3.12}" 2>/dev/null)" "$version" && return
    done
    say "Oyster needs Python 3.12 or newer with its venv module (3.13 to record from the simulators); none was found."
    say "Install one (apt-get install python3.13-venv, brew install python@3.13, pyenv install 3.13, uv python" \
        "install 3.13 …) and run this again."
    return 1
}

create() {
    python=$(cd / && find_python) || exit 1
    rm -rf "$venv"
    mkdir "$venv"
    echo creating >"$unfinished"
    say "Setting up .venv with $("$python" --version); the first time this takes a few minutes …"
    "$python" -m venv "$venv" || {
        say "$python could not make $venv; the lines above say why."
        exit 1
    }
}

# Installs the extras named, and keeps those that were there.
install() {
    extras=$*
    if [ -r "$stamp" ]; then
        for extra in $(sed -n 2p "$stamp"); do
            case " $extras " in
            *" $extra "*) ;;
            *) extras="$extras $extra" ;;
            esac
        done
    fi
    # What was cut off may have left a package half replaced, which pip would take for whole.
    if [ -e "$unfinished" ] && [ "$(cat "$unfinished")" = updating ]; then
        again=--force-reinstall
    else
        again=
    fi
    [ -e "$unfinished" ] || echo updating >"$unfinished"
    (
        cd "$root" && "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-input $again \
            -c constraints.txt -e ".[$(printf %s "$extras" | tr ' ' ',')]"
    ) || {
        say "The packages of Oyster could not be installed; the lines above say why. When that is mended, run this again" \
            "(without .venv, to begin anew)."
        exit 1
    }
    { fingerprint && printf '%s\n' "$extras"; } >"$stamp.new"
    mv "$stamp.new" "$stamp"
    rm "$unfinished"
}

environment() {
    ready "$@" && return
    # Held by whoever sets up, so that a second one waits and then finds the work done. Freed below, or by the end.
    exec 9<"$root"
    if command -v flock >/dev/null; then
        flock -n 9 || { say "Waiting for another set-up of .venv to end …" && flock 9; }
    fi
    if ! ready "$@"; then
        if [ ! -x "$venv/bin/python" ] || { [ -e "$unfinished" ] && [ "$(cat "$unfinished")" = creating ]; }; then
            create
        else
            say "Updating .venv …"
        fi
        install "$@"
    fi
    exec 9<&-
}
