/* One TrueNorth core of deterministic neurons, spike by spike, after the published equations.

   stdin:  int32 n_neurons n_axons n_steps, then for each neuron
           leak alpha beta reset gamma epsilon kappa settles v0, 4 values, n_axons bits,
           then n_axons types, then n_steps * n_axons spikes
   stdout: for each step and neuron int32 V and spike

   gamma: 0 normal, 1 linear, 2 non-reset. kappa: 1 saturates. epsilon: 1 leak reversal. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { LEAK, ALPHA, BETA, RESET, GAMMA, EPSILON, KAPPA, SETTLES, V0, VALUES, FIELDS = VALUES + 4 };

static int32_t read_word(void)
{
    int32_t word;
    if (fread(&word, sizeof word, 1, stdin) != 1) {
        fputs("the input ends early\n", stderr);
        exit(1);
    }
    return word;
}

static int sgn(int64_t x) { return (x > 0) - (x < 0); }
static int delta(int x) { return x == 0; }

int main(void)
{
    int32_t neurons = read_word(), axons = read_word(), steps = read_word();
    int32_t (*p)[FIELDS] = malloc(sizeof *p * neurons);
    char *w = malloc((size_t)neurons * axons);
    int32_t *type = malloc(sizeof *type * axons), *a = malloc(sizeof *a * axons);
    int64_t *v = malloc(sizeof *v * neurons);

    for (int j = 0; j < neurons; j++) {
        for (int f = 0; f < FIELDS; f++)
            p[j][f] = read_word();
        for (int i = 0; i < axons; i++)
            w[(size_t)j * axons + i] = (char)read_word();
        v[j] = p[j][V0];
    }
    for (int i = 0; i < axons; i++)
        type[i] = read_word();
    for (int t = 0; t < steps; t++) {
        for (int i = 0; i < axons; i++)
            a[i] = read_word();
        for (int j = 0; j < neurons; j++) {
            const int32_t *n = p[j];
            int32_t out[2] = {0, 0};
            for (int i = 0; i < axons; i++)
                v[j] += (int64_t)a[i] * w[(size_t)j * axons + i] * n[VALUES + type[i]];

            int before = sgn(v[j]);
            int omega = (1 - n[EPSILON]) + n[EPSILON] * before;
            v[j] += (int64_t)omega * n[LEAK];
            if (n[EPSILON] && n[SETTLES] && before * sgn(v[j]) < 0)
                v[j] = 0;
            if (v[j] > 524287)
                v[j] = 524287;
            if (v[j] < -524288)
                v[j] = -524288;

            if (v[j] >= n[ALPHA]) {
                out[1] = 1;
                v[j] = delta(n[GAMMA]) * n[RESET] + delta(n[GAMMA] - 1) * (v[j] - n[ALPHA])
                     + delta(n[GAMMA] - 2) * v[j];
            } else if (v[j] < -(int64_t)n[BETA]) {
                v[j] = -(int64_t)n[BETA] * n[KAPPA]
                     + (-delta(n[GAMMA]) * n[RESET] + delta(n[GAMMA] - 1) * (v[j] + n[BETA])
                        + delta(n[GAMMA] - 2) * v[j]) * (1 - n[KAPPA]);
            }
            out[0] = (int32_t)v[j];
            fwrite(out, sizeof out, 1, stdout);
        }
    }
    return 0;
}
