/* Lattice Boltzmann flow past a cylinder: D2Q9, single relaxation time, halfway bounce-back on the cylinder.
 * Equilibrium at the inlet (left), zero gradient at the outlet (right), periodic from top to bottom.
 * Usage: flow HEIGHT STEPS REYNOLDS VORTICITY FORCES
 *   VORTICITY  raw doubles, row by row, top row first
 *   FORCES     step,drag,lift as coefficients: force / (speed^2 diameter / 2)
 * Speed is 0.1 cells per step; diameter HEIGHT/6; viscosity follows from the Reynolds number. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

enum { Q = 9 };
/* Cells: all neighbours are plain fluid; some are not; part of the cylinder. */
enum { FREE, EDGE, SOLID };
static const int CX[Q] = {0, 1, 0, -1, 0, 1, -1, -1, 1};
static const int CY[Q] = {0, 0, 1, 0, -1, 1, 1, -1, -1};
static const int OPPOSITE[Q] = {0, 3, 4, 1, 2, 7, 8, 5, 6};
static const double W[Q] = {4.0 / 9,  1.0 / 9,  1.0 / 9,  1.0 / 9, 1.0 / 9,
                            1.0 / 36, 1.0 / 36, 1.0 / 36, 1.0 / 36};
static const double SPEED = 0.1;

static inline double equilibrium(int q, double density, double u, double v) {
  double c = 3.0 * (CX[q] * u + CY[q] * v);
  return W[q] * density * (1.0 + c + 0.5 * c * c - 1.5 * (u * u + v * v));
}

static void *need(size_t bytes) {
  void *memory = malloc(bytes);
  if (!memory) {
    fprintf(stderr, "not enough memory for %zu MiB; ask for more with --mem\n", bytes >> 20);
    exit(71);
  }
  return memory;
}

static FILE *create(const char *path) {
  FILE *file = fopen(path, "w");
  if (!file) {
    perror(path);
    exit(74);
  }
  return file;
}

int main(int argc, char **argv) {
  if (argc != 6) return 64;
  const int height = atoi(argv[1]), width = 3 * height;
  const long steps = atol(argv[2]), every = steps / 2000 > 0 ? steps / 2000 : 1;
  const double diameter = height / 6.0, viscosity = SPEED * diameter / atof(argv[3]);
  const double relax = 1.0 / (3.0 * viscosity + 0.5);
  const size_t cells = (size_t)width * height;
  double *now = need(cells * Q * sizeof *now), *next = need(cells * Q * sizeof *next);
  double *u = need(cells * sizeof *u), *v = need(cells * sizeof *v);
  /* Forces by row, summed in order: the answer does not depend on the number of threads. */
  double *drag = need(height * sizeof *drag), *lift = need(height * sizeof *lift);
  char *kind = need(cells);
  FILE *forces = create(argv[5]);
  fprintf(forces, "step,drag,lift\n");

  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++) {
      size_t at = (size_t)y * width + x;
      double dx = x - width / 5.0, dy = y - (height - 1) / 2.0;
      kind[at] = dx * dx + dy * dy < diameter * diameter / 4.0 ? SOLID : FREE;
      /* It begins with a stream aslant, which blows over: so that vortices need not wait for a rounding error. */
      for (int q = 0; q < Q; q++) now[at * Q + q] = next[at * Q + q] = equilibrium(q, 1.0, SPEED, 0.2 * SPEED);
    }
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++)
      for (int q = 0; q < Q && kind[(size_t)y * width + x] == FREE; q++) {
        int fx = x - CX[q], fy = y - CY[q];
        if (fx < 0 || fx >= width || fy < 0 || fy >= height || kind[(size_t)fy * width + fx] == SOLID)
          kind[(size_t)y * width + x] = EDGE;
      }

  printf("%d x %d cells, %ld steps, Reynolds %s, %d threads\n", width, height, steps, argv[3], omp_get_max_threads());
  fflush(stdout);
  const double began = omp_get_wtime();
  double said = began;
  for (long step = 1; step <= steps; step++) {
#pragma omp parallel for schedule(static)
    for (int y = 0; y < height; y++) {
      drag[y] = lift[y] = 0.0;
      for (int x = 0; x < width; x++) {
        size_t at = (size_t)y * width + x;
        double f[Q];
        u[at] = v[at] = 0.0;
        if (kind[at] == SOLID) continue;
        if (kind[at] == FREE)
          for (int q = 0; q < Q; q++) f[q] = now[(at - ((long)CY[q] * width + CX[q])) * Q + q];
        else
          for (int q = 0; q < Q; q++) {
            int fx = x - CX[q], fy = (y - CY[q] + height) % height;
            if (fx < 0)
              f[q] = equilibrium(q, 1.0, SPEED, 0.0);
            else if (fx >= width)
              f[q] = now[at * Q + q];
            else if (kind[(size_t)fy * width + fx] == SOLID) {
              f[q] = now[at * Q + OPPOSITE[q]];
              drag[y] -= 2.0 * f[q] * CX[q];
              lift[y] += 2.0 * f[q] * CY[q];
            } else
              f[q] = now[((size_t)fy * width + fx) * Q + q];
          }
        double density = f[0] + f[1] + f[2] + f[3] + f[4] + f[5] + f[6] + f[7] + f[8];
        double mx = f[1] + f[5] + f[8] - f[3] - f[6] - f[7], my = f[2] + f[5] + f[6] - f[4] - f[7] - f[8];
        double ux = mx / density, uy = my / density;
        u[at] = ux;
        v[at] = uy;
        for (int q = 0; q < Q; q++) next[at * Q + q] = f[q] + relax * (equilibrium(q, density, ux, uy) - f[q]);
      }
    }
    double *swap = now;
    now = next;
    next = swap;
    if (step % every == 0 || step == steps) {
      double fx = 0.0, fy = 0.0, scale = 0.5 * SPEED * SPEED * diameter, time = omp_get_wtime();
      for (int y = 0; y < height; y++) fx += drag[y], fy += lift[y];
      if (!isfinite(fx)) {
        fprintf(stderr, "the flow became unstable at step %ld: take a lower Reynolds number or a greater height\n", step);
        return 65;
      }
      fprintf(forces, "%ld,%.6f,%.6f\n", step, fx / scale, fy / scale);
      if (time - said > 1.0 || step == steps) {
        said = time;
        printf("step %ld/%ld  %3ld %%  drag %.3f  %.1f million cells/s\n", step, steps, 100 * step / steps, fx / scale,
               1e-6 * cells * step / (time - began));
        fflush(stdout);
      }
    }
  }

  FILE *field = create(argv[4]);
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++) {
      int left = x ? x - 1 : x, right = x < width - 1 ? x + 1 : x;
      int up = (y + height - 1) % height, down = (y + 1) % height;
      double curl = (v[(size_t)y * width + right] - v[(size_t)y * width + left]) -
                    (u[(size_t)down * width + x] - u[(size_t)up * width + x]);
      /* y grows downwards, so positive is clockwise: turned round. Inside the cylinder: not a number. */
      curl = kind[(size_t)y * width + x] == SOLID ? NAN : -curl / 2.0;
      if (fwrite(&curl, sizeof curl, 1, field) != 1) {
        perror(argv[4]);
        return 74;
      }
    }
  if (fclose(field) || fclose(forces)) {
    perror("writing");
    return 74;
  }
  return 0;
}
