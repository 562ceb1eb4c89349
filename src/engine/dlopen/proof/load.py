# Loads one extension module (or a library) of a bundle that is laid out, and writes what came of it: the interpreter's half
# of the load proof. It is run as `python -I -S -B -c SCRIPT FOLDER`, and uses nothing but the standard library.
import json
import os
import sys

FOLDER = sys.argv[1]
# push rbp; mov rbp, rsp; and rsp, -16; sub rsp, 8; lea rax, [rip + back]; push rax; push rcx; jmp rdx;
# back: mov rsp, rbp; pop rbp; ret
CALL_FROM = "554889e54883e4f04883ec08488d05040000005051ffe24889ec5dc3"
NO_CALL = "not tried: on this machine no call can be made to come from the artifact"
# Machine code must outlive what calls it.
kept = []
answer = {"loaded": False, "before": [], "after": [], "probes": []}


def say():
    path = os.path.join(FOLDER, "answer.json")
    with open(path + ".new", "w", encoding="ascii") as file:
        json.dump(answer, file)
    os.rename(path + ".new", path)


def mappings():
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            fields = line.rstrip("\n").split(None, 5)
            if len(fields) == 6 and "x" in fields[1] and fields[5].startswith("/"):
                start, end = (int(number, 16) for number in fields[0].split("-"))
                yield fields[5], fields[1], start, end, int(fields[2], 16)


def mapped():
    return list(dict.fromkeys(mapping[0] for mapping in mappings()))


def bring_in(name, path):
    from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
    from importlib.util import module_from_spec, spec_from_file_location
    from types import ModuleType

    # A module's name has no dot, so that everything after the first one says what it is for.
    if "." + os.path.basename(path).partition(".")[2] not in EXTENSION_SUFFIXES:
        answer["not_tried"] = "it is not for %s: that takes %s" % (sys.implementation.cache_tag, ", ".join(EXTENSION_SUFFIXES))
        return
    parts = name.split(".")
    for count in range(1, len(parts)):
        parent = ".".join(parts[:count])
        sys.modules[parent] = ModuleType(parent)
        sys.modules[parent].__path__ = [os.path.dirname(path)]
    loader = ExtensionFileLoader(name, path)
    spec = spec_from_file_location(name, path, loader=loader)
    module = module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)


def load(request):
    path = request["artifact"]
    try:
        for first in request["preload"]:
            import ctypes

            answer["error"] = first + ", which is loaded first"
            ctypes.CDLL(first)
            answer.pop("error")
        if request["module"] is None:
            import ctypes

            # What Python loads by itself it binds at once.
            ctypes.CDLL(path, mode=os.RTLD_NOW | os.RTLD_LOCAL)
        else:
            bring_in(request["module"], path)
    except BaseException as error:
        words = str(error) if isinstance(error, (ImportError, OSError)) else "%s: %s" % (type(error).__name__, error)
        if path in mapped():
            answer["started"] = words
        else:
            answer["error"] = ": ".join(filter(None, [answer.get("error"), words]))
    answer["loaded"] = path in mapped()
    answer["after"] = mapped()


def opener(path):
    """Calls dlopen so that the loader takes the code of `path` for the caller."""
    import ctypes
    import mmap
    import platform

    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        if any(line.startswith("x86_Thread_features:") and "shstk" in line for line in file):
            raise OSError(NO_CALL)
    program = ctypes.CDLL(None)
    if platform.machine() != "x86_64" or ctypes.sizeof(ctypes.c_void_p) != 8 or not hasattr(program, "gnu_get_libc_version"):
        raise OSError(NO_CALL)
    returns = None
    with open(path, "rb") as file:
        for name, rights, start, end, offset in mappings():
            if name == path and rights.startswith("r-x") and returns is None:
                file.seek(offset)
                place = file.read(min(end - start, 1 << 20)).find(b"\xc3")
                returns = start + place if place >= 0 else None
    if returns is None:
        raise OSError(NO_CALL)
    code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(bytes.fromhex(CALL_FROM))
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    kept.append(code)
    call = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)(address)
    dlopen = ctypes.cast(program.dlopen, ctypes.c_void_p)
    return lambda name: call(name, os.RTLD_NOW | os.RTLD_LOCAL, dlopen, returns)


def path_of(handle):
    import ctypes

    class LinkMap(ctypes.Structure):
        _fields_ = [("address", ctypes.c_size_t), ("name", ctypes.c_char_p)]

    found = ctypes.POINTER(LinkMap)()
    dlinfo = ctypes.CDLL(None).dlinfo
    dlinfo.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]
    failed = dlinfo(handle, 2, ctypes.byref(found))
    return None if failed or not found else os.fsdecode(found.contents.name)


def probe(request, wanted):
    import ctypes

    name = wanted["name"]
    if wanted["by"] == "python":
        return path_of(ctypes.CDLL(name)._handle)
    dlerror = ctypes.CDLL(None).dlerror
    dlerror.restype = ctypes.c_char_p
    handle = opener(request["artifact"])(os.fsencode(name))
    if not handle:
        raise OSError(os.fsdecode(dlerror() or b"the loader gives no reason"))
    return path_of(handle)


def main():
    with open(os.path.join(FOLDER, "request.json"), encoding="utf-8") as file:
        request = json.load(file)
    answer["before"] = mapped()
    load(request)
    say()
    if answer["loaded"]:
        for wanted in request["probes"]:
            answer["opening"] = wanted["name"]
            say()
            try:
                opened = {"name": wanted["name"], "path": probe(request, wanted), "error": None}
            except Exception as error:
                opened = {"name": wanted["name"], "path": None, "error": str(error)}
            answer["opening"] = None
            answer["probes"].append(opened)
        say()
    # What the module's threads and its end do is not asked.
    os._exit(0)


main()
