/*
 * A hostile function in C, which makes its system calls itself. As `bootstrap` it is its own runtime: a client of the
 * Runtime API on plain sockets. With an argument it carries that out and prints the answers, for functions in other
 * languages that bring it along.
 *
 * An event is {"do": "OPERATION;OPERATION;..."}, an operation is a word and its arguments, with a blank in between. The
 * answer is a list of one text for each: `works`, the name of an errno, or what was found. `tests/security/hostile.rs`
 * has the list of operations; `app.py` and `index.mjs` know the same.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORDS_MAX 10

static char answer[16384];

static void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(answer, sizeof answer, format, arguments);
    va_end(arguments);
}

static void verdict(long result)
{
    const char *name = result < 0 ? strerrorname_np(errno) : "works";
    say("%s", name ? name : "unknown");
}

/* A number, 'text for a pointer to a text, or @number for a pointer to a page that begins with this number. */
static long argument(char *word)
{
    static unsigned long pages[4][512];
    static int next;
    if (*word == '\'')
        return (long)(word + 1);
    if (*word == '@') {
        unsigned long *page = pages[next++ % 4];
        memset(page, 0, sizeof pages[0]);
        page[0] = strtoul(word + 1, NULL, 0);
        return (long)page;
    }
    return *word == '-' ? strtol(word, NULL, 0) : (long)strtoul(word, NULL, 0);
}

static void do_syscall(char **words, int count)
{
    long a[7] = {0};
    for (int i = 1; i < count && i < 8; i++)
        a[i - 1] = argument(words[i]);
    pid_t self = getpid();
    long result = syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
    if (getpid() != self)
        _exit(0); /* it made a process */
    verdict(result);
}

static void do_open(char **words)
{
    int flags = *words[2] == 'r' ? O_RDONLY : *words[2] == 'w' ? O_WRONLY : O_WRONLY | O_CREAT;
    int fd = open(words[1], flags | O_NONBLOCK | O_CLOEXEC, 0600);
    verdict(fd);
    if (fd >= 0)
        close(fd);
}

static void do_write(char **words)
{
    int fd = open(words[1], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    verdict(fd < 0 ? -1 : write(fd, words[2], strlen(words[2])));
    if (fd >= 0)
        close(fd);
}

/* What stands behind a text at the beginning of a line; `~` in it is a blank. */
static void do_grep(char **words)
{
    FILE *file = fopen(words[1], "re");
    char line[4096];
    if (!file) {
        verdict(-1);
        return;
    }
    say("absent");
    for (char *blank; (blank = strchr(words[2], '~'));)
        *blank = ' ';
    while (fgets(line, sizeof line, file))
        if (!strncmp(line, words[2], strlen(words[2]))) {
            char *value = line + strlen(words[2]), *end = line + strlen(line);
            while (end > value && strchr(" \t\n", end[-1]))
                *--end = 0;
            value += strspn(value, " \t");
            say("%s", value);
            break;
        }
    fclose(file);
}

static void do_list(char **words, int only_numbers)
{
    DIR *folder = opendir(words[1]);
    if (!folder) {
        verdict(-1);
        return;
    }
    size_t length = 0;
    answer[0] = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        const char *name = entry->d_name;
        if (*name == '.' || (only_numbers && (*name < '0' || *name > '9')))
            continue;
        if (length + strlen(name) + 2 < sizeof answer)
            length += sprintf(answer + length, "%s%s", length ? "," : "", name);
    }
    closedir(folder);
}

/* Every descriptor but the standard ones, with what it is. */
static void do_fds(void)
{
    size_t length = 0;
    answer[0] = 0;
    for (int fd = 0; fd < 1024; fd++) {
        char link[64], target[256];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t size = readlink(link, target, sizeof target - 1);
        if (size < 0)
            continue;
        target[size] = 0;
        length += sprintf(answer + length, "%s%d=%s", length ? "," : "", fd, target);
    }
}

static long finish_connecting(int fd, struct sockaddr *address, socklen_t size)
{
    if (!connect(fd, address, size) || errno != EINPROGRESS)
        return errno && errno != EINPROGRESS && errno != EISCONN ? -1 : 0;
    struct pollfd ready = {fd, POLLOUT, 0};
    if (poll(&ready, 1, 1000) == 0) {
        errno = ETIMEDOUT;
        return -1;
    }
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    errno = error;
    return error ? -1 : 0;
}

static void do_connect(char **words)
{
    int is_v6 = strchr(words[1], ':') != NULL;
    int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        verdict(-1);
        return;
    }
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(atoi(words[2]))};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(atoi(words[2]))};
    inet_pton(AF_INET, words[1], &v4.sin_addr);
    inet_pton(AF_INET6, words[1], &v6.sin6_addr);
    errno = 0;
    verdict(is_v6 ? finish_connecting(fd, (struct sockaddr *)&v6, sizeof v6)
                  : finish_connecting(fd, (struct sockaddr *)&v4, sizeof v4));
    close(fd);
}

/* Asks for a path, and says the status of the answer. */
static void do_http(char **words)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(words[2]))};
    struct timeval second = {1, 0};
    inet_pton(AF_INET, words[1], &address.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) {
        verdict(-1);
        close(fd);
        return;
    }
    dprintf(fd, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", words[3], words[1]);
    char line[16] = {0};
    ssize_t got = read(fd, line, sizeof line - 1);
    if (got > 12)
        say("%.3s", line + 9);
    else
        say("closed");
    close(fd);
}

static void do_unix(char **words)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int is_abstract = *words[1] == '@';
    strncpy(address.sun_path, words[1], sizeof address.sun_path - 1);
    if (is_abstract)
        address.sun_path[0] = 0;
    socklen_t size = offsetof(struct sockaddr_un, sun_path) + strlen(words[1]) + !is_abstract;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    verdict(fd < 0 ? -1 : connect(fd, (struct sockaddr *)&address, size));
    close(fd);
}

static void do_socket(char **words)
{
    int fd = socket(atoi(words[1]), atoi(words[2]), atoi(words[3]));
    verdict(fd);
    if (fd >= 0)
        close(fd);
}

static void do_hunt(char **words)
{
    int hit = 0;
    for (int pid = 1; pid < atoi(words[1]); pid++)
        hit += pid != getpid() && kill(pid, SIGKILL) == 0;
    say("%d", hit);
}

static void do_setns(char **words)
{
    int fd = open(words[1], O_RDONLY | O_CLOEXEC);
    verdict(fd < 0 ? -1 : setns(fd, 0));
    if (fd >= 0)
        close(fd);
}

static void do_raise(char **words)
{
    struct rlimit limit;
    int resource = atoi(words[1]);
    getrlimit(resource, &limit);
    limit.rlim_max += 1;
    limit.rlim_cur = limit.rlim_max;
    verdict(setrlimit(resource, &limit));
}

/* `getpid` of 32-bit programs, whose calls have other numbers. */
static void do_int80(void)
{
#ifdef __x86_64__
    pid_t child = fork();
    if (child == 0) {
        long result;
        __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
        _exit(result > 0 ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    say("%s", WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : "works");
#else
    say("SYS");
#endif
}

/* Runs a program and says the first line that it prints. */
static void run(int program, char *const *arguments)
{
    int ends[2];
    if (pipe(ends)) {
        verdict(-1);
        return;
    }
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        if (program < 0)
            execv(arguments[0], arguments);
        else
            fexecve(program, arguments, environ);
        dprintf(1, "%s\n", strerrorname_np(errno));
        _exit(1);
    }
    close(ends[1]);
    size_t length = 0;
    for (ssize_t got; length < 4096 && (got = read(ends[0], answer + length, 4096 - length)) > 0;)
        length += got;
    answer[length] = 0;
    answer[strcspn(answer, "\n")] = 0;
    close(ends[0]);
    waitpid(child, NULL, 0);
}

/* A program that no file system holds has no more rights than one that it does. */
static void do_memfd(void)
{
    int memory = memfd_create("hostile", 0), own = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    char piece[65536];
    for (ssize_t got; (got = read(own, piece, sizeof piece)) > 0;)
        if (write(memory, piece, got) != got)
            break;
    close(own);
    char *arguments[] = {"hostile", "grep /proc/self/status CapEff:", NULL};
    run(memory, arguments);
    close(memory);
}

static long long milliseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

static void *spin(void *nothing)
{
    for (volatile unsigned long turns = 0;; turns++)
        ;
    return nothing;
}

/* Keeps this many threads busy for so long, and says how many milliseconds of CPU time they had. */
static void do_spin(char **words)
{
    long long until = milliseconds(CLOCK_MONOTONIC) + atoi(words[2]);
    long long before = milliseconds(CLOCK_PROCESS_CPUTIME_ID);
    pthread_t threads[16];
    int count = atoi(words[1]) - 1;
    for (int i = 0; i < count; i++)
        pthread_create(&threads[i], NULL, spin, NULL);
    while (milliseconds(CLOCK_MONOTONIC) < until)
        ;
    say("%lld", milliseconds(CLOCK_PROCESS_CPUTIME_ID) - before);
    for (int i = 0; i < count; i++)
        pthread_cancel(threads[i]);
}

/* A thread that goes on after the answer. */
static void do_linger(void)
{
    pthread_t thread;
    verdict(pthread_create(&thread, NULL, spin, NULL) ? -1 : 0);
}

static void *wait_for_ever(void *nothing)
{
    for (;;)
        pause();
    return nothing;
}

/* Makes threads, or processes, until there are no more; says how many there were, and why no more. */
static void do_bomb(char **words)
{
    int made = 0;
    if (!strcmp(words[1], "threads")) {
        pthread_attr_t small;
        pthread_t thread;
        pthread_attr_init(&small);
        pthread_attr_setstacksize(&small, 16384);
        int error;
        while (!(error = pthread_create(&thread, &small, wait_for_ever, NULL)))
            made++;
        say("%d %s", made, strerrorname_np(error));
        return;
    }
    for (;; made++) {
        pid_t child = fork();
        if (child < 0)
            break;
        if (child == 0) {
            for (int fd = 0; fd < 3; fd++)
                close(fd); /* nobody waits for the end of its output */
            wait_for_ever(NULL);
        }
    }
    say("%d %s", made, strerrorname_np(errno));
}

/* Opens files, or sockets, until there are no more or so many. */
static void do_descriptors(char **words)
{
    static int opened[65536];
    int is_file = !strcmp(words[1], "files"), made = 0, wanted = atoi(words[2]);
    errno = 0;
    while (made < wanted && made < 65536) {
        int fd = is_file ? open("/dev/null", O_RDONLY) : socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0)
            break;
        opened[made++] = fd;
    }
    say("%d %s", made, made < wanted ? strerrorname_np(errno) : "works");
    while (made > 0)
        close(opened[--made]);
}

static void do_heap(char **words)
{
    for (long megabytes = atol(words[1]); megabytes > 0; megabytes--) {
        char *piece = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (piece == MAP_FAILED) {
            verdict(-1);
            return;
        }
        memset(piece, 1, 1 << 20);
    }
    say("works");
}

static void do_crash(void)
{
    struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    if (setrlimit(RLIMIT_CORE, &unlimited)) {
        struct rlimit most;
        getrlimit(RLIMIT_CORE, &most);
        most.rlim_cur = most.rlim_max;
        setrlimit(RLIMIT_CORE, &most);
    }
    if (chdir("/tmp") == 0)
        signal(SIGSEGV, SIG_DFL);
    kill(getpid(), SIGSEGV);
}

static void carry_out(char *operation)
{
    char *words[WORDS_MAX + 1] = {0};
    int count = 0;
    for (char *word = strtok(operation, " "); word && count < WORDS_MAX; word = strtok(NULL, " "))
        words[count++] = word;
    for (int i = count; i < WORDS_MAX; i++)
        words[i] = "";
    const char *what = words[0];
    say("unknown operation");
    errno = 0;
    if (!strcmp(what, "syscall")) do_syscall(words, count);
    else if (!strcmp(what, "open")) do_open(words);
    else if (!strcmp(what, "write")) do_write(words);
    else if (!strcmp(what, "grep")) do_grep(words);
    else if (!strcmp(what, "list")) do_list(words, 0);
    else if (!strcmp(what, "pids")) do_list((char *[]){"pids", "/proc"}, 1);
    else if (!strcmp(what, "fds")) do_fds();
    else if (!strcmp(what, "connect")) do_connect(words);
    else if (!strcmp(what, "http")) do_http(words);
    else if (!strcmp(what, "unix")) do_unix(words);
    else if (!strcmp(what, "socket")) do_socket(words);
    else if (!strcmp(what, "kill")) verdict(kill(atoi(words[1]), atoi(words[2])));
    else if (!strcmp(what, "hunt")) do_hunt(words);
    else if (!strcmp(what, "setns")) do_setns(words);
    else if (!strcmp(what, "raise")) do_raise(words);
    else if (!strcmp(what, "link")) verdict(symlink(words[1], words[2]));
    else if (!strcmp(what, "int80")) do_int80();
    else if (!strcmp(what, "run")) { words[count] = NULL; run(-1, words + 1); }
    else if (!strcmp(what, "memfd")) do_memfd();
    else if (!strcmp(what, "spin")) do_spin(words);
    else if (!strcmp(what, "linger")) do_linger();
    else if (!strcmp(what, "bomb")) do_bomb(words);
    else if (!strcmp(what, "descriptors")) do_descriptors(words);
    else if (!strcmp(what, "heap")) do_heap(words);
    else if (!strcmp(what, "crash")) do_crash();
    else if (!strcmp(what, "sleep")) verdict(poll(NULL, 0, atoi(words[1])));
    else if (!strcmp(what, "pid")) say("%d", getpid());
}

/* Carries out `operations` and returns the answers as JSON. */
static char *carry_out_all(char *operations)
{
    static char json[1 << 20];
    size_t length = 0;
    json[length++] = '[';
    char *rest = operations;
    for (char *operation; (operation = strsep(&rest, ";"));) {
        if (!*operation)
            continue;
        carry_out(operation);
        if (length > 1)
            json[length++] = ',';
        json[length++] = '"';
        for (char *from = answer; *from; from++)
            json[length++] = *from == '\t' ? ' ' : *from < ' ' || *from == '"' || *from == '\\' ? '_' : *from;
        json[length++] = '"';
    }
    json[length++] = ']';
    json[length] = 0;
    return json;
}

/* One request to the Runtime API; returns what came, which is the caller's to free. */
static char *ask(const char *method, const char *path, const char *body)
{
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
    char host[64];
    snprintf(host, sizeof host, "%s", api ? api : "127.0.0.1:9001");
    char *port = strchr(host, ':');
    *port++ = 0;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
    inet_pton(AF_INET, host, &address.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address))
        exit(1);
    dprintf(fd, "%s /2018-06-01/runtime/invocation/%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n"
                "Content-Length: %zu\r\n\r\n%s", method, path, host, strlen(body), body);
    size_t length = 0, room = 1 << 16;
    char *got = malloc(room);
    for (ssize_t size; (size = read(fd, got + length, room - length - 1)) > 0;) {
        length += size;
        if (room - length < 4096)
            got = realloc(got, room *= 2);
    }
    got[length] = 0;
    close(fd);
    return got;
}

int main(int count, char **arguments)
{
    if (count > 1) {
        puts(carry_out_all(arguments[1]));
        return 0;
    }
    for (;;) {
        char *event = ask("GET", "next", "");
        char *id = strcasestr(event, "lambda-runtime-aws-request-id: ");
        if (!id)
            return 1;
        id += strlen("lambda-runtime-aws-request-id: ");
        id[strcspn(id, "\r")] = 0;
        char *operations = strstr(id + strlen(id) + 1, "\"do\":\"");
        if (operations) {
            operations += strlen("\"do\":\"");
            operations[strcspn(operations, "\"")] = 0;
        }
        char path[128];
        snprintf(path, sizeof path, "%s/response", id);
        char none[] = "";
        free(ask("POST", path, carry_out_all(operations ? operations : none)));
        free(event);
    }
}
