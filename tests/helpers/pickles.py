"""Write pickles opcode by opcode, as nobody's torch.save would."""

import struct
import zipfile

PROTO = b"\x80\x02"
LINEAR = ("torch.nn.modules.linear", "Linear")
SEQUENTIAL = ("torch.nn.modules.container", "Sequential")
OWN = ("__main__", "Net")
WEIGHT = b"\0" * 64  # the bytes of a (4, 4) float32


def text(value):
    data = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def number(value):
    return b"\x8a" + bytes([10]) + value.to_bytes(10, "little", signed=True)


def name(module, symbol):
    return f"c{module}\n{symbol}\n".encode()


def tuple_of(*items):
    return b"(" + b"".join(items) + b"t"


def dict_of(items):
    return b"}(" + b"".join(text(k) + v for k, v in items.items()) + b"u"


def tensor(size, stride, key="0", elements=16):
    storage = tuple_of(text("storage"), name("torch", "FloatStorage"), text(key), text("cpu"),
                       number(elements)) + b"Q"
    return name("torch._utils", "_rebuild_tensor_v2") + tuple_of(
        storage, number(0), tuple_of(*map(number, size)), tuple_of(*map(number, stride)), b"\x89",
        b"N") + b"R"


def module(kind, modules=None, parameters=None, **attributes):
    state = {"training": b"\x89", "_parameters": dict_of(parameters or {}), "_buffers": b"}",
             "_modules": dict_of(modules or {}), **attributes}
    return name(*kind) + b")\x81" + dict_of(state) + b"b"


def linear(**attributes):
    weight = name("torch._utils", "_rebuild_parameter") + tuple_of(tensor((4, 4), (4, 1)), b"\x88",
                                                                   b"N") + b"R"
    return module(LINEAR, parameters={"weight": weight, "bias": b"N"}, in_features=number(4),
                  out_features=number(4), **attributes)


def nested(levels, kind, leaf, width):
    """A checkpoint whose modules hold the one before them `width` times, `levels` deep."""
    parts = [leaf + b"q\x00"]
    for k in range(1, levels):
        before = b"j" + struct.pack("<I", k - 1)
        parts.append(module(kind, {str(i): before for i in range(width)})
                     + b"r" + struct.pack("<I", k))
    last = b"j" + struct.pack("<I", levels - 1)
    return b"}(" + text("parts") + b"](" + b"".join(parts) + b"e" + text("model") + last + b"u"


def archive(path, pickled, data=WEIGHT):
    """A file as torch.save lays it out, around `pickled`."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("m/data.pkl", PROTO + pickled + b".")
        file.writestr("m/byteorder", "little")
        file.writestr("m/data/0", data)
    return path
