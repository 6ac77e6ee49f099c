"""Single bits of words."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


@intrinsic
def lowest_bit(context, word):
    """Number of the lowest bit of `word`, a uint64 that is not 0: LLVM's cttz."""
    def code(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))
    return types.int64(types.uint64), code
