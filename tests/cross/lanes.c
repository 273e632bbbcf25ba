/* Checks the portable kernel on a machine other than this one, by an emulator: every case of the
 * files named. `./dev test lanes` builds and runs it. */
#include "bcrypt_cases.h"

/* Of base, in which OpenSSL is that a cross compiler does not have. */
void secret_wipe(void *bytes, size_t length)
{
    explicit_bzero(bytes, length);
}

void err_invariant(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, condition);
    abort();
}

int main(int argc, char **argv)
{
    uint64_t random = 1;
    size_t wrong = 0;
    size_t total = 0;
    for (int i = 1; i < argc; i++) {
        size_t count = 0;
        FILE *file = fopen(argv[i], "r");
        if (file == NULL) {
            perror(argv[i]);
            return 2;
        }
        struct bcrypt_case *cases = cases_read(file, &count);
        fclose(file);
        for (size_t k = 0; k < lanes_kernel_count; k++) {
            if (lanes_kernels[k].is_usable()) {
                wrong += cases_spread(&lanes_kernels[k], cases, count, &random);
                total += count;
            }
        }
        free(cases);
    }
    printf("%zu cases, %zu wrong\n", total, wrong);
    return total > 0 && wrong == 0 ? 0 : 1;
}
