/* What a store refuses and survives, and its writing past the page cache. */
#include "unit/store_folder.h"

/* ---- what goes wrong ---- */

static struct fake small;

static void open_small(void)
{
    fake_open(&small, EQUAL, 2);
    fake_add(&small, WEIR_P_RESID_POST);
}

static void write_text(const char *where, const char *text)
{
    FILE *f = fopen(where, "w");
    fputs(text, f);
    fclose(f);
}

static bool reads(const char *where, const char *text)
{
    char got[64] = "";
    FILE *f = fopen(where, "r");
    size_t n = fread(got, 1, sizeof got - 1, f);
    fclose(f);
    return n == strlen(text) && strcmp(got, text) == 0;
}

Test(store, refuses_an_output_that_exists_before_doing_anything)
{
    struct weir_store *store;
    open_small();
    write_text(path, "mine");
    cr_assert(weir_store_create(&store, path, &small.spec) == WEIR_E_OUTPUT && !store);
    cr_assert(strstr(weir_message(), "--force"), "%s", weir_message());
    cr_assert(entries() == 1 && reads(path, "mine"));
    small.spec.force = true;
    OK(fake_write(&small, path));
    check_file(&small);
    fake_close(&small);
}

Test(store, does_not_overwrite_a_file_that_appeared_meanwhile)
{
    struct weir_store *store;
    open_small();
    OK(weir_store_create(&store, path, &small.spec));
    OK(fake_put_all(&small, store));
    write_text(path, "theirs");
    cr_assert(weir_store_commit(store) == WEIR_E_OUTPUT);
    weir_store_close(store);
    cr_assert(entries() == 1 && reads(path, "theirs"));
    fake_close(&small);
}

Test(store, closed_before_commit_leaves_nothing)
{
    struct weir_store *store;
    open_small();
    OK(weir_store_create(&store, path, &small.spec));
    OK(fake_put_all(&small, store));
    cr_assert(entries() == 1);
    weir_store_close(store);
    cr_assert(entries() == 0);
    fake_close(&small);
}

Test(store, refuses_folders_that_are_missing_or_cannot_be_written)
{
    struct weir_store *store;
    open_small();
    cr_assert(weir_store_create(&store, "/nowhere/at/all.h5", &small.spec) == WEIR_E_OUTPUT);
    cr_assert(strstr(weir_message(), "/nowhere/at"), "%s", weir_message());
    cr_assert(weir_store_create(&store, "/proc/out.h5", &small.spec) == WEIR_E_OUTPUT, "also for root");
    cr_assert(weir_store_create(&store, folder, &small.spec) == WEIR_E_OUTPUT, "a folder");
    small.spec.force = true;
    cr_assert(weir_store_create(&store, folder, &small.spec) == WEIR_E_OUTPUT, "a folder, with force");
    fake_close(&small);
}

Test(store, removes_what_a_dead_process_left)
{
    char left[160], other[160], held[160];
    open_small();
    snprintf(left, sizeof left, "%s/.out.h5.part-2147483646-0", folder); /* above any pid_max */
    snprintf(other, sizeof other, "%s/.out.h5.part-x", folder);
    snprintf(held, sizeof held, "%s/.out.h5.part-2147483645-0", folder); /* of another container */
    write_text(left, "");
    write_text(other, "");
    write_text(held, "");
    int fd = open(held, O_RDONLY);
    cr_assert(fd >= 0 && flock(fd, LOCK_EX) == 0);
    OK(fake_write(&small, path));
    cr_assert(access(left, F_OK) != 0 && access(other, F_OK) == 0 && access(held, F_OK) == 0);
    close(fd);
    fake_close(&small);
}

Test(store, says_which_value_never_came)
{
    struct weir_store *store;
    open_small();
    OK(weir_store_create(&store, path, &small.spec));
    cr_assert(weir_store_commit(store) == WEIR_E_OUTPUT);
    cr_assert(strstr(weir_message(), "resid_post: layer 0, prompt 0"), "%s", weir_message());
    weir_store_close(store);
    cr_assert(entries() == 0);
    fake_close(&small);
}

Test(store, refuses_values_that_are_not_of_the_plan)
{
    struct weir_store *store;
    float data[FAKE_D_MODEL] = {0};
    const int32_t far[] = {99};
    const size_t one[] = {1};
    struct fake fake;
    fake_open(&fake, one, 1);
    fake_add(&fake, WEIR_P_RESID_POST);
    fake_one_layer(&fake);
    OK(weir_store_create(&store, path, &fake.spec));
    struct weir_store_value value = {.layer = 0, .data = data};
    cr_assert(weir_store_put(store, &value) == WEIR_E_USAGE, "layer 0 is not stored");
    value.layer = 1;
    value.prompt = 7;
    cr_assert(weir_store_put(store, &value) == WEIR_E_USAGE);
    value.prompt = 0;
    value.units = far;
    value.n_units = 1;
    OK(weir_store_put(store, &value)); /* the thread finds it */
    cr_assert(weir_store_commit(store) == WEIR_E_USAGE && strstr(weir_message(), "unit 99"));
    weir_store_close(store);
    cr_assert(entries() == 0);
    fake_close(&fake);
}

/* A disk of so many bytes on `folder`; skips the test where mounting is not allowed. */
static void mount_small(const char *size)
{
    char options[32];
    snprintf(options, sizeof options, "size=%s", size);
    if (mount("none", folder, "tmpfs", 0, options) != 0)
        cr_skip_test("mounting a small disk is not allowed here");
}

Test(store, refuses_a_disk_that_is_too_small_with_both_sizes)
{
    struct weir_store *store;
    mount_small("64k");
    open_small();
    cr_assert(weir_store_create(&store, path, &small.spec) == WEIR_E_OUTPUT);
    cr_assert(strstr(weir_message(), "kB") && strstr(weir_message(), "the disk has"), "%s", weir_message());
    cr_assert(entries() == 0);
    umount(folder);
    fake_close(&small);
}

Test(store, gives_up_cleanly_when_the_disk_fills)
{
    struct weir_store *store;
    struct fake fake;
    char filler[96];
    disk_was_full = true;
    for (int unequal = 0; unequal < 2; unequal++) {
        mount_small("8m");
        fake_open(&fake, unequal ? UNEQUAL : EQUAL, 2);
        fake_add(&fake, WEIR_P_PATTERN);
        fake_add(&fake, WEIR_P_RESID_POST);
        OK(weir_store_create(&store, path, &fake.spec));
        snprintf(filler, sizeof filler, "%s/filler", folder);
        int fd = open(filler, O_CREAT | O_WRONLY, 0600);
        static char zeros[4096];
        while (write(fd, zeros, sizeof zeros) > 0)
            ;
        close(fd);
        weir_status status = fake_put_all(&fake, store);
        if (status == WEIR_OK)
            status = weir_store_commit(store);
        cr_assert(status == WEIR_E_OUTPUT);
        cr_assert(strstr(weir_message(), "No space left on device"), "%s", weir_message());
        weir_store_close(store);
        cr_assert(entries() == 1, "the filler only");
        unlink(filler);
        umount(folder);
        fake_close(&fake);
    }
}

Test(store, survives_every_allocation_failing)
{
    struct fake fake;
    weir_status status = WEIR_E_MEMORY;
    fake_open(&fake, EQUAL, 2);
    fake_add(&fake, WEIR_P_RESID_POST);
    fake_add(&fake, WEIR_P_PATTERN);
    fake.spec.gzip = true;
    fake_add_table(&fake, weir_table_at(WEIR_TABLE_NEXT), 2);
    for (long i = 0; status == WEIR_E_MEMORY; i++) {
        weir_alloc_fail_after(i);
        status = fake_write(&fake, path);
        cr_assert(status == WEIR_OK || (status == WEIR_E_MEMORY && entries() == 0), "after %ld: %s", i, weir_message());
    }
    weir_alloc_fail_after(-1);
    check_file(&fake);
    for (long i = 0, done = 0; !done; i++) {
        weir_file *file;
        weir_alloc_fail_after(i);
        status = weir_file_open(&file, path);
        cr_assert(status == WEIR_OK || (status == WEIR_E_MEMORY && !file));
        done = status == WEIR_OK;
        weir_alloc_fail_after(-1);
        weir_file_close(file);
    }
    fake_close(&fake);
}

Test(store, refuses_two_sizes_of_one_dimension)
{
    struct weir_store *store;
    open_small();
    fake_add(&small, WEIR_P_RESID_PRE);
    small.points[1].shape[1] = 7;
    cr_assert(weir_store_create(&store, path, &small.spec) == WEIR_E_UNSUPPORTED);
    cr_assert(strstr(weir_message(), "d_model"), "%s", weir_message());
    cr_assert(entries() == 0);
    fake_close(&small);
}

Test(store, sizes_are_about_right)
{
    struct stat st;
    for (int unequal = 0; unequal < 2; unequal++) {
        struct fake fake;
        fake_open(&fake, unequal ? UNEQUAL : EQUAL, unequal ? 3 : 2);
        fake.spec.force = true;
        add_points(&fake);
        OK(fake_write(&fake, path));
        cr_assert(stat(path, &st) == 0);
        double ratio = (double)weir_store_size(&fake.spec) / (double)st.st_size;
        cr_assert(ratio > 0.8 && ratio < 1.5, "%g of %lld", ratio, (long long)st.st_size);
        fake_close(&fake);
    }
}

/* ---- past the page cache ---- */

enum { LONGEST = (9 << 20) + 5000 };

static uint8_t *numbered(void)
{
    uint8_t *bytes = NULL; /* [LONGEST + 4096] of which none looks like its neighbours */
    OK(weir_alloc_aligned(&bytes, LONGEST + 4096, 1));
    for (size_t i = 0; i < LONGEST + 4096; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    return bytes;
}

/* Whether this file system takes writes past the page cache. */
static bool takes_straight(const struct weir_output *out, const uint8_t *aligned)
{
    return out->straight >= 0 && pwrite(out->straight, aligned, 4096, 0) == 4096;
}

Test(store, writes_the_same_bytes_whatever_their_place_and_address)
{
    static const struct {
        size_t bytes, offset, address; /* address: bytes behind an aligned one */
    } cases[] = {{1 << 20, 65536, 0},    {1 << 20, 65537, 0},      {(1 << 20) + 1, 8192, 4},
                 {LONGEST, 12288, 4},    {LONGEST - 3, 12287, 52}, {131072, 4095, 0},
                 {131072 + 4095, 1, 64}, {131071, 0, 0},           {5, 4094, 1}};
    uint8_t *from = numbered(), *to = NULL;
    OK(weir_alloc(&to, LONGEST, 1));
    int fd = open(path, O_RDWR | O_CREAT, 0666);
    struct weir_output out;
    weir_output_open(&out, fd, path, path);
    const bool straight = takes_straight(&out, from);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const size_t n = cases[i].bytes, at = cases[i].offset;
        cr_assert(ftruncate(fd, 0) == 0);
        OK(weir_output_write(&out, from + cases[i].address, n, at));
        cr_expect(lseek(fd, 0, SEEK_END) == (off_t)(at + n), "case %zu: not as long as what was written", i);
        cr_assert(pread(fd, to, n, (off_t)at) == (ssize_t)n);
        cr_expect(memcmp(to, from + cases[i].address, n) == 0, "case %zu", i);
    }
    if (straight)
        cr_expect(out.straight >= 0, "no case is one that the disk does not take");
    weir_output_close(&out);
    close(fd);
    weir_free(from);
    weir_free(to);
}

Test(store, says_why_a_write_past_the_page_cache_ends_early)
{
    uint8_t *from = numbered();
    int fd = open(path, O_RDWR | O_CREAT, 0666);
    struct weir_output out;
    weir_output_open(&out, fd, path, "run.h5");
    signal(SIGXFSZ, SIG_IGN);
    cr_assert(setrlimit(RLIMIT_FSIZE, &(struct rlimit){(1 << 20) + 100, RLIM_INFINITY}) == 0);
    cr_expect(weir_output_write(&out, from, 2 << 20, 0) == WEIR_E_OUTPUT);
    cr_assert(setrlimit(RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}) == 0);
    cr_expect(strstr(weir_message(), "run.h5: cannot be written: File too large") == weir_message());
    cr_expect(lseek(fd, 0, SEEK_END) == (1 << 20) + 100, "as far as it went");
    weir_output_close(&out);
    close(fd);
    weir_free(from);
}
