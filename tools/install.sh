#!/usr/bin/env bash
# Gives a Python with a working s5lib: the active one if it has it, else a virtual environment in tools/venv.
#
#   tools/install.sh              set up what is missing
#   tools/install.sh kaldi doc    with extras of setup.py
#
# Or source it and call `s5lib_setup [EXTRA...]`, as recipes and tools/test.sh do: afterwards `python3` and `s5lib` are
# those of that Python, with this checkout's code.  PYTHON=python3.12 chooses the Python to start from.

_s5lib_tools=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
_s5lib_root=${_s5lib_tools%/*}
_s5lib_venv=${_s5lib_tools}/venv

_s5lib_say() { printf 'install: %s\n' "$*" >&2; }

# The folder of the commands of Python $1, if it has s5lib, all that s5lib needs and the extras; reads metadata only.
_s5lib_commands_of() { "$1" "${_s5lib_tools}/check_install.py" --quick "${@:2}" 2>/dev/null; }

_s5lib_use() { # commands of the folder $1, code of this checkout
    case ":${PATH}:" in
        ":$1:"*) ;;
        *) export PATH=$1:${PATH} ;;
    esac
    case ":${PYTHONPATH-}:" in
        ":${_s5lib_root}:"*) ;;
        *) export PYTHONPATH=${_s5lib_root}${PYTHONPATH:+:${PYTHONPATH}} ;;
    esac
    hash -r
}

# What tools/venv was made from; written into it last, so that an installation that was broken off is not taken as done.
_s5lib_origin() { cat "${_s5lib_root}/setup.py" "${_s5lib_root}/constraints.txt" | cksum; }

_s5lib_is_complete() {
    [[ -f ${_s5lib_venv}/.complete && $(<"${_s5lib_venv}/.complete") == "$(_s5lib_origin)" ]] &&
        _s5lib_commands_of "${_s5lib_venv}/bin/python3" "$@" >/dev/null
}

_s5lib_check_python() { # is Python $1 there and new enough?
    local found
    if ! found=$("$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3], sys.executable)' 2>/dev/null); then
        _s5lib_say "error: there is no '$1' that starts. s5lib needs Python 3.10 or newer: install one (Debian," \
            "Ubuntu: apt install python3 python3-venv), or say which: PYTHON=/path/to/python3 and the same command."
        return 1
    fi
    if ! "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
        _s5lib_say "error: '$1' is Python ${found%% *} (${found#* }), and s5lib needs 3.10 or newer." \
            "Put a newer one first on PATH, or say which: PYTHON=python3.12 and the same command."
        return 1
    fi
}

_s5lib_fill_venv() { # _s5lib_fill_venv PYTHON EXTRA...: make tools/venv, or bring an older one up to date
    local python=$1 extras=test extra quiet=()
    shift
    for extra in "$@"; do extras+=,${extra}; done
    [[ -t 2 ]] || quiet=(--quiet)
    if ! "${_s5lib_venv}/bin/python3" -c 'import pip' 2>/dev/null; then
        rm -rf -- "${_s5lib_venv}"
        if ! "${python}" -m venv "${_s5lib_venv}" >&2; then
            rm -rf -- "${_s5lib_venv}"
            _s5lib_say "error: '${python} -m venv ${_s5lib_venv}' failed, see above." \
                "Debian and Ubuntu keep this module apart: apt install python3-venv"
            return 1
        fi
    fi
    rm -f -- "${_s5lib_venv}/.complete"
    if ! (cd "${_s5lib_root}" && "${_s5lib_venv}/bin/python3" -m pip install --disable-pip-version-check "${quiet[@]}" \
        -c constraints.txt -e ".[${extras}]" >&2); then
        _s5lib_say "error: pip could not install s5lib into ${_s5lib_venv}, see above. What it did is kept:" \
            "run the same command again once the cause (network, disk space) is fixed."
        return 1
    fi
    _s5lib_origin >"${_s5lib_venv}/.complete"
}

_s5lib_install() ( # in a subshell, which holds the lock: a second run waits for the first, then finds all done
    exec 9<"${_s5lib_tools}"
    if ! flock --nonblock 9 2>/dev/null && command -v flock >/dev/null; then
        _s5lib_say "another run is installing; waiting for it"
        flock 9 2>/dev/null || true
    fi
    if _s5lib_is_complete "$@"; then exit 0; fi
    python=${PYTHON:-python3}
    _s5lib_check_python "${python}" || exit 1
    if [[ ! -w ${_s5lib_tools} ]]; then
        _s5lib_say "error: no working s5lib in '${python}', and ${_s5lib_tools} is not writable for an environment" \
            "of its own. Into one of yours: pip install -c ${_s5lib_root}/constraints.txt -e '${_s5lib_root}[test]'"
        exit 1
    fi
    if [[ -e ${_s5lib_venv}/.complete ]]; then
        _s5lib_say "bringing ${_s5lib_venv} up to date"
    else
        _s5lib_say "making ${_s5lib_venv} with torch, torchaudio and s5lib: some minutes, 6 GB"
    fi
    _s5lib_fill_venv "${python}" "$@" 9<&- || exit 1
    _s5lib_say "done; to use it by hand: . ${_s5lib_venv}/bin/activate"
)

s5lib_setup() {
    local commands
    if commands=$(_s5lib_commands_of "${PYTHON:-python3}" "$@"); then
        _s5lib_use "${commands}"
        return 0
    fi
    _s5lib_is_complete "$@" || _s5lib_install "$@" || return 1
    if ! commands=$(_s5lib_commands_of "${_s5lib_venv}/bin/python3" "$@"); then
        _s5lib_say "error: ${_s5lib_venv} was made, but does not work. For the reason, run:" \
            "${_s5lib_venv}/bin/python3 ${_s5lib_tools}/check_install.py"
        return 1
    fi
    _s5lib_use "${commands}"
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
    set -Eeuo pipefail
    known=" all $(sed -n '/^EXTRAS = {/,/^}/s/^ *"\([a-z]*\)":.*/\1/p' "${_s5lib_root}/setup.py" | paste -sd ' ') "
    for argument in "$@"; do
        case ${argument} in
            -h | --help)
                sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
                exit 0
                ;;
            -*)
                _s5lib_say "error: no option '${argument}'; see --help"
                exit 2
                ;;
        esac
        if [[ ${known} != *" ${argument} "* ]]; then
            _s5lib_say "error: no extra '${argument}'. Known:${known% }"
            exit 2
        fi
    done
    s5lib_setup "$@" || exit 1
    _s5lib_say "s5lib is ready in $(python3 -c 'import sys; print(sys.prefix)')"
fi
