/*
 * Networks of one SpiNNaker core, computed from the published equations in ISO C integers.
 *
 *     gcc -std=c11 -O2 spinnaker1.c -o spinnaker1 -lm && ./spinnaker1 < networks > results
 *
 * An independent second writing of backends/spinnaker: an accum is an unsigned 32-bit pattern, sums
 * are modulo 2**32, products go through floored division, and each neuron has a calendar of the
 * whole run instead of a ring. Equations: sPyNNaker neuron_model_lif_impl.h, exp_synapse_utils.h,
 * input_type_conductance.h, synapses.c; spinn_common stdfix-exp.c.
 *
 * Everything read and written is a little-endian int64. Input: the number of networks; for each
 *   n, outer, steps, conductance, shift_exc, shift_inh, dt,
 *   per neuron: v, v_rest, cm, tau_m, i_offset, v_reset, tau_refrac, v_thresh, e_rev_e, e_rev_i,
 *               tau_syn_e, isyn_e, tau_syn_i, isyn_i                              (accums)
 *   per source: how many synapses, each as kind, target, delay, weight
 *   per step: outer numbers, 1 for a spike
 * Output: for each network per neuron its resistance, decay, refractory steps and the decay and gain
 *   of both types; then per step and neuron v, refractory timer, exc, inh, spiked.
 */

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef uint32_t accum; /* two's complement pattern of a number in units of 2**-15 */

enum { V, V_REST, CM, TAU_M, I_OFFSET, V_RESET, TAU_REFRAC, V_THRESH, E_EXC, E_INH,
       TAU_EXC, ISYN_EXC, TAU_INH, ISYN_INH, N_PARAMETERS };

typedef struct { accum input; uint32_t decay, gain, *due; int shift; } receptor;

typedef struct {
    accum v, rest, reset, offset, resistance, decay;
    int64_t threshold, timer, refractory;
    accum reversal[2];
    receptor receptors[2];
} cell;

typedef struct { int64_t count, *synapses; } row;

static int64_t number(void) {
    int64_t value;
    if (fread(&value, sizeof value, 1, stdin) != 1) {
        fputs("the input ends early\n", stderr);
        exit(1);
    }
    return value;
}

static void tell(int64_t value) { fwrite(&value, sizeof value, 1, stdout); }

static void *cleared(int64_t n, size_t size) {
    void *block = calloc((size_t)(n ? n : 1), size);
    if (block == NULL) exit(1);
    return block;
}

static int64_t value_of(accum x) { return x < 0x80000000u ? (int64_t)x : (int64_t)x - 4294967296; }

static int64_t floored(int64_t x, int64_t divisor) {
    int64_t quotient = x / divisor;
    return quotient - (x % divisor < 0);
}

static accum multiply(accum x, accum y) {
    return (accum)(uint64_t)floored(value_of(x) * value_of(y), 32768);
}

static accum fraction_of(accum x, uint32_t fraction) {
    return (accum)(uint64_t)floored(value_of(x) * (int64_t)fraction, 4294967296);
}

static accum divide(int64_t x, int64_t y) { return (accum)((uint64_t)x * 32768u / (uint64_t)y); }

/* The product of a number with 32 fractional bits and a pure fraction, rounded. */
static uint64_t part(uint64_t x, uint64_t fraction) {
    uint64_t low = (x % 4294967296u) * fraction;
    uint64_t up = low % 4294967296u >= 2147483647u ? 1 : 0;
    return low / 4294967296u + up + (x / 4294967296u) * fraction;
}

/* exp(-argument) for an argument of at least 0 accum units, with 32 fractional bits. */
static uint64_t exponential(int64_t argument) {
    int64_t whole = argument / 32768, rest = argument % 32768;
    uint64_t result = (uint64_t)llroundl(expl(-(long double)whole) * 4294967296.0L);
    if (rest == 0) return result;
    result -= part(result, (uint64_t)llroundl(-expm1l(-(long double)(rest / 2048) / 16) * 4294967296.0L));
    uint64_t x = (uint64_t)(rest % 2048) * 131072u;
    uint64_t slope = 4293434720u - 2081624032u * x / 4294967296u;
    return result - part(result, slope * x / 4294967296u + 5294u);
}

static void start_receptor(receptor *r, int64_t tau, int64_t input, int64_t dt, int64_t shift) {
    int64_t ratio = value_of(divide(dt, tau));
    r->decay = ratio > 340695 ? 0 : (uint32_t)exponential(ratio);
    uint64_t rest = 4294967295u - r->decay;
    r->gain = (uint32_t)((uint64_t)value_of(divide(tau, dt)) * rest / 32768u);
    r->input = (accum)input;
    r->shift = (int)shift;
}

static void start_cell(cell *c, const int64_t *p, int64_t dt, const int64_t *shifts) {
    int64_t ratio = value_of(divide(dt, p[TAU_M])), wait = value_of(divide(p[TAU_REFRAC], dt));
    c->v = (accum)p[V];
    c->rest = (accum)p[V_REST];
    c->reset = (accum)p[V_RESET];
    c->offset = (accum)p[I_OFFSET];
    c->threshold = p[V_THRESH];
    c->resistance = divide(p[TAU_M], p[CM]);
    c->decay = ratio > 340695 ? 0 : (accum)(exponential(ratio) / 131072u);
    c->refractory = (wait + 32767) / 32768;
    c->reversal[0] = (accum)p[E_EXC];
    c->reversal[1] = (accum)p[E_INH];
    start_receptor(&c->receptors[0], p[TAU_EXC], p[ISYN_EXC], dt, shifts[0]);
    start_receptor(&c->receptors[1], p[TAU_INH], p[ISYN_INH], dt, shifts[1]);
    tell(value_of(c->resistance));
    tell(value_of(c->decay));
    tell(c->refractory);
    for (int k = 0; k < 2; k++) {
        tell(c->receptors[k].decay);
        tell(c->receptors[k].gain);
    }
}

static int advance(cell *c, int64_t step, int conductance) {
    accum current = c->offset;
    for (int k = 0; k < 2; k++) {
        receptor *r = &c->receptors[k];
        r->input += fraction_of(r->due[step] << r->shift, r->gain);
        accum share = r->input;
        if (conductance) {
            share = (accum)(uint64_t)floored(value_of(share), 1024);
            if (k == 1) share = 0u - share;
            share = multiply(share, c->reversal[k] - c->v);
        }
        current = k == 0 ? current + share : current - share;
        r->input = fraction_of(r->input, r->decay);
    }
    if (c->timer > 0) {
        c->timer--;
    } else {
        accum level = multiply(current, c->resistance) + c->rest;
        c->v = level - multiply(c->decay, level - c->v);
    }
    if (value_of(c->v) < c->threshold) return 0;
    c->v = c->reset;
    c->timer = c->refractory;
    return 1;
}

static void send(const row *r, cell *cells, int64_t step, int64_t steps) {
    for (int64_t s = 0; s < r->count; s++) {
        const int64_t *synapse = r->synapses + 4 * s;
        int64_t when = step + synapse[2];
        if (when >= steps) continue;
        uint32_t *due = &cells[synapse[1]].receptors[synapse[0]].due[when];
        *due = *due + synapse[3] > 65535 ? 65535u : *due + (uint32_t)synapse[3];
    }
}

static void read_rows(row *rows, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        rows[i].count = number();
        rows[i].synapses = cleared(4 * rows[i].count, sizeof(int64_t));
        for (int64_t k = 0; k < 4 * rows[i].count; k++) rows[i].synapses[k] = number();
    }
}

static void network(void) {
    int64_t n = number(), outer = number(), steps = number(), conductance = number();
    int64_t shifts[2] = {number(), 0};
    shifts[1] = number();
    int64_t dt = number();
    cell *cells = cleared(n, sizeof *cells);
    row *rows = cleared(outer + n, sizeof *rows);
    int *fired = cleared(n, sizeof *fired);
    for (int64_t i = 0; i < n; i++) {
        int64_t parameters[N_PARAMETERS];
        for (int k = 0; k < N_PARAMETERS; k++) parameters[k] = number();
        start_cell(&cells[i], parameters, dt, shifts);
        for (int k = 0; k < 2; k++) cells[i].receptors[k].due = cleared(steps, sizeof(uint32_t));
    }
    read_rows(rows, outer + n);
    for (int64_t step = 0; step < steps; step++) {
        for (int64_t i = 0; i < n; i++) {
            fired[i] = advance(&cells[i], step, conductance != 0);
            tell(value_of(cells[i].v));
            tell(cells[i].timer);
            tell(value_of(cells[i].receptors[0].input));
            tell(value_of(cells[i].receptors[1].input));
            tell(fired[i]);
        }
        for (int64_t i = 0; i < outer; i++)
            if (number()) send(&rows[i], cells, step, steps);
        for (int64_t i = 0; i < n; i++)
            if (fired[i]) send(&rows[outer + i], cells, step, steps);
    }
    for (int64_t i = 0; i < outer + n; i++) free(rows[i].synapses);
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < 2; k++) free(cells[i].receptors[k].due);
    free(rows);
    free(cells);
    free(fired);
}

int main(void) {
    for (int64_t count = number(); count > 0; count--) network();
    return 0;
}
