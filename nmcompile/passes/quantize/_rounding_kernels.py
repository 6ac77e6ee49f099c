"""Sequential rounding with error feedback over flat arrays."""

from numba import prange

from nmcompile.arithmetic.jit import parallel_kernel


@parallel_kernel
def round_rows(weight, factor, low, high, step):
    """Round each row of `weight` (n_out, n_in) float64 in place, column by column.

    factor  (n_in, n_in) upper Cholesky factor of the inverse input correlation; what rounding a
            column changes is taken back by the columns to its right
    """
    n_out, n_in = weight.shape
    for row in prange(n_out):
        for column in range(n_in):
            wanted = weight[row, column]
            rounded = min(max(round(wanted / step) * step, low), high)
            weight[row, column] = rounded
            error = (wanted - rounded) / factor[column, column]
            if error != 0:
                for k in range(column + 1, n_in):
                    weight[row, k] -= error * factor[column, k]
