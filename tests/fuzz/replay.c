/* Runs a fuzz target over files and folders of files: what was found once stays found, without a fuzzer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t runs;

static void run_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size ? size : 1); /* its own size, so that reading past the end is seen */
    if (!file || !data || fread(data, 1, size, file) != size) {
        perror(path);
        exit(1);
    }
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    runs++;
}

static void run_path(const char *path, int depth)
{
    struct stat st;
    DIR *folder = NULL;
    if (stat(path, &st) != 0 || (S_ISDIR(st.st_mode) && !(folder = opendir(path)))) {
        perror(path);
        exit(1);
    }
    if (S_ISREG(st.st_mode))
        run_file(path, (size_t)st.st_size);
    for (struct dirent *entry; folder && depth < 3 && (entry = readdir(folder)) != NULL;) {
        char inner[4096];
        if (*entry->d_name == '.' || snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) >= (int)sizeof inner)
            continue;
        run_path(inner, depth + 1);
    }
    if (folder)
        closedir(folder);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        run_path(argv[i], 0);
    printf("%zu inputs\n", runs);
    return runs == 0;
}
