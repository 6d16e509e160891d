"""Closing the doors around the child process, from inside it, before any of the student's code runs.

limits    processor time, memory, file size, open files     POSIX; reported only where all could be set
landlock  opens only what it was told to read, writes only  Linux 5.13 and later, no privileges needed
          its own folder
seccomp   no socket, process, program, signal, ptrace, no   Linux on x86-64 and ARM64, no privileges needed
          change of modes and owners
audit     the same wishes, asked of Python itself: `open`,  everywhere
          `os`, `socket`, `subprocess`

The first three are kept by the kernel; the last is a hindrance, past which code walks that leaves Python (ctypes).
`confine` returns the layers that closed. Stands alone (standard library only): the child loads this file by its path.
The kernel is called through ctypes, because the bindings on the package index are an alpha (py-landlock) or need
libseccomp installed (pyseccomp, last released in 2021).
"""
import ctypes
import os
import signal
import struct
import sys

LAYERS = ("limits", "landlock", "seccomp", "audit")


def confine(config: dict) -> list[str]:
    """Close every layer that `config["layers"]` asks for and the machine has; returns those that closed.

    config: readable (files and folders), listable (folders whose names alone may be listed), writable (one folder),
    seconds, memory, file_size (bytes).
    """
    linux = sys.platform.startswith("linux")
    wanted, closed = config["layers"], []
    if linux:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.syscall.restype = ctypes.c_long
        libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG: die with the parent
        libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS, which the two kernel layers ask for
        if "landlock" in wanted and _landlock(libc, config):
            closed.append("landlock")
    will_filter = linux and "seccomp" in wanted and _machine() is not None
    if "limits" in wanted and _limits(config, processes=will_filter):
        closed.append("limits")
    if linux:
        _drop_capabilities(libc)
    if will_filter and _seccomp(libc):
        closed.append("seccomp")
    if "audit" in wanted:
        sys.addaudithook(_auditor(config))
        closed.append("audit")
    return [layer for layer in LAYERS if layer in closed]


def _limits(config: dict, *, processes: bool) -> bool:
    """POSIX resource limits; `processes` leaves their number to seccomp, which counts no threads."""
    try:
        import resource
    except ImportError:
        return False
    seconds = int(config["seconds"]) + 1
    bounds = {"CPU": (seconds, seconds + 1), "AS": config["memory"], "FSIZE": config["file_size"],
              "NOFILE": 64, "CORE": 0}
    if not processes:
        bounds["NPROC"] = 0
    complete = True
    for name, bound in bounds.items():
        try:
            pair = bound if isinstance(bound, tuple) else (bound, bound)
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), pair)
        except (AttributeError, ValueError, OSError):
            complete = False
    return complete


# Landlock: access rights of files, linux/landlock.h
_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG = 1 << 4, 1 << 5, 1 << 7, 1 << 8
_TRUNCATE = 1 << 14
_OWN = (_WRITE_FILE | _READ_FILE | _READ_DIR | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _TRUNCATE)
_OF_FILES = _WRITE_FILE | _READ_FILE | _TRUNCATE


def _landlock(libc: ctypes.CDLL, config: dict) -> bool:
    """Handle every right this kernel knows, grant those of the configuration, and lock."""
    create, add, restrict = 444, 445, 446
    abi = libc.syscall(create, None, ctypes.c_size_t(0), 1)
    if abi < 1:
        return False
    files = (1 << (13 if abi < 2 else 14 if abi < 3 else 15 if abi < 5 else 16)) - 1
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    handled = struct.pack("<QQQ", files, 0b11, 0b11)[:size]  # TCP from version 4; signals, abstract sockets from 6
    ruleset = libc.syscall(create, handled, ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return False
    rules = [(path, _READ_FILE | _READ_DIR) for path in config["readable"]]
    rules += [(path, _READ_DIR) for path in config["listable"]]
    rules += [(config["writable"], _OWN), (os.devnull, _READ_FILE | _WRITE_FILE)]
    for path, rights in rules:
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        rights &= files if os.path.isdir(path) else files & _OF_FILES
        if rights:
            libc.syscall(add, ruleset, 1, struct.pack("<Qi", rights, place), 0)
        os.close(place)
    locked = libc.syscall(restrict, ruleset, 0) == 0
    os.close(ruleset)
    return locked


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """A child of root keeps root's name but none of its powers (capset, version 3, all sets empty)."""
    libc.capset(struct.pack("<Ii", 0x20080522, 0), struct.pack("<6I", *[0] * 6))


# System calls that no exercise needs: x86-64, ARM64 (None: does not exist there)
_DENIED = {
    "socket": (41, 198), "socketpair": (53, 199), "fork": (57, None), "vfork": (58, None), "execve": (59, 221),
    "execveat": (322, 281), "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "ptrace": (101, 117),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "kcmp": (312, 272), "setrlimit": (160, 164), "truncate": (76, 45),
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, None), "lchown": (94, None), "fchown": (93, 55), "fchownat": (260, 54), "utime": (132, None),
    "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88), "setxattr": (188, 5),
    "lsetxattr": (189, 6), "fsetxattr": (190, 7), "setxattrat": (463, 463), "removexattr": (197, 14),
    "lremovexattr": (198, 15), "fremovexattr": (199, 16), "removexattrat": (466, 466), "shmget": (29, 194),
    "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180), "add_key": (248, 217),
    "request_key": (249, 218), "keyctl": (250, 219), "mount": (165, 40), "umount2": (166, 39),
    "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97), "setns": (308, 268),
    "open_by_handle_at": (304, 265), "bpf": (321, 280), "perf_event_open": (298, 241),
    "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "pidfd_send_signal": (424, 424),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "fsmount": (432, 432), "reboot": (169, 142), "kexec_load": (246, 104),
    "init_module": (175, 105), "finit_module": (313, 273),
}
_CLONE, _CLONE3, _PRLIMIT = (56, 220), 435, (302, 261)
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


def _machine() -> tuple[int, int] | None:
    return _ARCHITECTURES.get(os.uname().machine) if struct.calcsize("P") == 8 else None


def _filter() -> bytes:
    """The BPF program: another architecture, the denied calls, clone without CLONE_THREAD, prlimit that sets."""
    column, architecture = _machine()
    load, equal, at_least, has_bits, give = 0x20, 0x15, 0x35, 0x45, 0x06
    eperm, enosys, allow = 0x00050001, 0x00050026, 0x7FFF0000

    def op(code: int, argument: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("<HBBI", code, yes, no, argument)

    number, arch, first, third = 0, 4, 16, 32  # offsets in struct seccomp_data
    program = [op(load, arch), op(equal, architecture, 1), op(give, eperm), op(load, number),
               op(at_least, 0x40000000, 0, 1), op(give, eperm)]  # the x32 numbers
    for pair in _DENIED.values():
        if pair[column] is not None:
            program += [op(equal, pair[column], 0, 1), op(give, eperm)]
    program += [op(equal, _CLONE3, 0, 1), op(give, enosys)]  # libc then falls back to clone, whose flags can be read
    program += [op(equal, _CLONE[column], 0, 4), op(load, first), op(has_bits, 0x00010000, 1), op(give, eperm),
                op(give, allow)]
    program += [op(equal, _PRLIMIT[column], 0, 5), op(load, third), op(equal, 0, 0, 2), op(load, third + 4),
                op(equal, 0, 1), op(give, eperm)]
    return b"".join([*program, op(give, allow)])


def _seccomp(libc: ctypes.CDLL) -> bool:
    code = _filter()
    text = ctypes.create_string_buffer(code)

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]

    program = Program(len(code) // 8, ctypes.addressof(text))
    return libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER


_CHANGES = {"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.truncate", "os.chmod", "os.chown", "os.link",
            "os.symlink", "os.utime", "os.setxattr", "os.removexattr"}
_TWO_PATHS = {"os.rename", "os.link", "os.symlink"}
_STARTS = ("os.fork", "os.exec", "os.spawn", "os.posix_spawn", "os.system", "os.startfile", "os.kill", "subprocess.",
           "pty.", "socket.", "signal.pthread_kill", "_winapi.CreateProcess", "winreg.", "resource.")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def _auditor(config: dict):
    """A hook that refuses, by Python's own audit events, what the configuration does not grant."""
    own = (os.path.realpath(config["writable"]), os.devnull)
    seen = own + tuple(os.path.realpath(path) for path in config["readable"])
    real, text = os.path.realpath, os.fsdecode

    def granted(path: object, roots: tuple[str, ...]) -> bool:
        if isinstance(path, int) or path is None:
            return True  # an open descriptor, or none
        place = real(text(path))
        return any(place == root or place.startswith(root + os.sep) for root in roots)

    def hook(event: str, arguments: tuple) -> None:
        if event == "open":
            path, _, flags = arguments
            if not granted(path, own if flags & _WRITES else seen):
                raise PermissionError(f"a submission may not open {path!r}")
        elif event in _CHANGES:
            if not all(granted(path, own) for path in arguments[: 2 if event in _TWO_PATHS else 1]):
                raise PermissionError(f"a submission may not change {arguments[0]!r}")
        elif event.startswith(_STARTS):
            raise PermissionError(f"a submission may not use {event}")

    return hook
