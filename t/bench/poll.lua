-- For wrk, from t/bench/poll.sh: who asks, and what; all from the environment, for a password has no place in argv.
--   BENCH_AUTH     user:password in base64
--   BENCH_POST     word; each request is a POST for a build of its own, step <word>-<number>.  Absent: a GET
local word = os.getenv("BENCH_POST")
local number = 0
local machine = '{"machine":{"architecture":"x86_64"},"workflow":"bench","step_id":"%s-%d"}'

wrk.headers["Authorization"] = "Basic " .. os.getenv("BENCH_AUTH")
if word then wrk.headers["Content-Type"] = "application/json" end

function request()
    if not word then return wrk.format("GET") end
    number = number + 1
    return wrk.format("POST", nil, nil, string.format(machine, word, number))
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format("RESULT %.0f %.0f %d\n", summary.requests / summary.duration * 1e6, latency:percentile(99),
        errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
