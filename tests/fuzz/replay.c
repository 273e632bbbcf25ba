/* replay.c - runs every file of the given folders through a fuzz target, as an ordinary test: what
 * a fuzzer once found stays found where no fuzzing engine is installed. */
#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_FILE_BYTES ((size_t)4 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of just its size, so that the sanitizer sees a read past the end. */
static void run(const uint8_t *bytes, size_t size)
{
    uint8_t *exact = malloc(size > 0 ? size : 1);
    if (exact == NULL) {
        abort();
    }
    for (size_t i = 0; i < size; i++) {
        exact[i] = bytes[i];
    }
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static bool run_file(const char *path, uint8_t *buffer)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return false;
    }
    size_t size = fread(buffer, 1, MAX_FILE_BYTES, file);
    bool whole = feof(file) != 0 && ferror(file) == 0;
    fclose(file);
    if (!whole) {
        fprintf(stderr, "%s: cannot be read, or is too large\n", path);
        return false;
    }
    run(buffer, size);
    return true;
}

/* How many files; negative when one could not be read. */
static int run_folder(const char *folder, uint8_t *buffer)
{
    DIR *entries = opendir(folder);
    const struct dirent *entry = NULL;
    int count = 0;
    if (entries == NULL) {
        perror(folder);
        return -1;
    }
    while (count >= 0 && (entry = readdir(entries)) != NULL) {
        char path[4096];
        if (entry->d_name[0] == '.') {
            continue;
        }
        int length = snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        bool good = length > 0 && (size_t)length < sizeof(path) && run_file(path, buffer);
        count = good ? count + 1 : -1;
    }
    closedir(entries);
    return count;
}

int main(int argc, char **argv)
{
    uint8_t *buffer = malloc(MAX_FILE_BYTES);
    int total = 0;
    bool good = buffer != NULL && argc > 1;
    for (int i = 1; good && i < argc; i++) {
        int count = run_folder(argv[i], buffer);
        good = count > 0;
        total += count;
    }
    free(buffer);
    printf("%d inputs replayed\n", total);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
