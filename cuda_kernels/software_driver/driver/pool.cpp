// The driver's own threads of the host, over which the blocks of a large launch are spread. They are started when
// first needed and wait between launches; a forked process starts its own.
#include "driver.h"

#include <condition_variable>
#include <pthread.h>
#include <thread>

namespace software {

namespace {

struct Pool {
    std::mutex lock;
    std::condition_variable wake, finished;
    std::vector<std::thread> threads;
    const std::function<void(int)> *body = nullptr;
    int wanted = 0, running = 0;
    uint64_t round = 0;
    bool ending = false;

    void serve(int number) {
        uint64_t seen = 0;
        std::unique_lock<std::mutex> held(lock);
        for (;;) {
            wake.wait(held, [&] { return ending || round != seen; });
            if (ending) return;
            seen = round;
            if (number > wanted) continue;
            auto work = body;
            held.unlock();
            (*work)(number);
            held.lock();
            if (--running == 0) finished.notify_one();
        }
    }

    void run(int workers, const std::function<void(int)> &work) {
        std::unique_lock<std::mutex> held(lock);
        while (int(threads.size()) < workers - 1) {
            int number = int(threads.size()) + 1;
            uint64_t now = round;
            threads.emplace_back([this, number, now] { (void)now; serve(number); });
        }
        body = &work;
        wanted = running = workers - 1;
        round++;
        wake.notify_all();
        held.unlock();
        work(0);
        held.lock();
        finished.wait(held, [&] { return running == 0; });
    }

    ~Pool() {
        {
            std::lock_guard<std::mutex> held(lock);
            ending = true;
        }
        wake.notify_all();
        for (auto &thread : threads) thread.join();
    }
};

Pool *pool = nullptr;

// The child of a fork has the memory of its parent's pool, but none of its threads.
void forget_pool() { pool = nullptr; }

struct AtEnd {
    AtEnd() { pthread_atfork(nullptr, nullptr, forget_pool); }
    ~AtEnd() { delete pool; }
} at_end;

}  // namespace

void in_parallel(int workers, const std::function<void(int)> &body) {
    if (workers <= 1) return body(0);
    if (!pool) pool = new Pool;
    pool->run(workers, body);
}

}  // namespace software
