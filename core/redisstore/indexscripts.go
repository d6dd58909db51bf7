package redisstore

// The fragments in this file are about the index of a subject. Scores are times of the server's
// clock, in milliseconds.

// clockLua sets clock to the server's time.
const clockLua = `
local time = redis.call('TIME')
local clock = time[1] * 1000 + math.floor(time[2] / 1000)
`

// setEntryLua follows clockLua. It adds key to index, or changes its entry, so that the entry
// ends in ttl milliseconds (0 means never). It removes the entry's mark.
const setEntryLua = `
redis.call('ZADD', index, ttl == 0 and '+inf' or clock + ttl, key)
redis.call('ZREM', index, '\0' .. key)
`

// raiseEntryLua is setEntryLua for a script that does not write the record. It never makes an
// entry end earlier.
const raiseEntryLua = `
redis.call('ZADD', index, 'GT', ttl == 0 and '+inf' or clock + ttl, key)
redis.call('ZREM', index, '\0' .. key)
`

// removeEntryLua follows clockLua. It removes the entry of key from index. It does nothing if
// there is something else under the key of the index.
const removeEntryLua = `
if type(redis.pcall('ZREM', index, key, '\0' .. key)) == 'number' then` + trimLua + `end
`

// trimLua follows clockLua. It removes the entries of index that have ended, and makes the
// index expire with the last of the others.
const trimLua = `
redis.call('ZREMRANGEBYSCORE', index, '-inf', clock)
local last = redis.call('ZREVRANGE', index, 0, 0, 'WITHSCORES')
if last[2] == 'inf' then
  redis.call('PERSIST', index)
elseif last[2] then
  redis.call('PEXPIRE', index, math.ceil(last[2] - clock))
end
`

// markLua follows clockLua. It marks those of the keys ARGV that have an entry in the index
// KEYS[1], for a minute, and returns the score of the marks, which no other marks have. The
// first command that writes is one that the server always allows: see extendLua.
const markLua = `
local index = KEYS[1]
redis.call('ZREMRANGEBYSCORE', index, '-inf', clock)
local mark = string.format('%.17g', clock + 60000 + time[2] % 1000 / 1000)
for _, key in ipairs(ARGV) do
  if redis.call('ZSCORE', index, key) then redis.call('ZADD', index, mark, '\0' .. key) end
end
return mark`

// settleLua follows clockLua. ARGV is what markLua has returned, followed by each key and the
// milliseconds that its record has left: 0 means forever, -1 that there is no record. Where the
// mark is still there, it removes the mark and changes or removes the entry.
const settleLua = `
local index = KEYS[1]
for i = 2, #ARGV, 2 do
  local key, ttl = ARGV[i], tonumber(ARGV[i + 1])
  local mark = redis.call('ZSCORE', index, '\0' .. key)
  if mark and tonumber(mark) == tonumber(ARGV[1]) then
    redis.call('ZREM', index, '\0' .. key)
    if ttl < 0 then
      redis.call('ZREM', index, key)
    else
      redis.call('ZADD', index, ttl == 0 and '+inf' or clock + ttl, key)
    end
  end
end
`

// membersLua follows clockLua. It removes the entries of the index KEYS[1] that have ended, and
// returns the members.
const membersLua = `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', clock)
return redis.call('ZRANGE', KEYS[1], 0, -1)`

// pageLua follows clockLua. It returns the run id of the server, the cursor of ZSCAN from which
// it has scanned the index KEYS[1], the cursor to go on with, and the members between them. It
// removes the entries that have ended.
//
// ARGV: "1" to look at the settings, the run id and the cursor of the page before, and how many
// members to scan. A cursor means nothing to another server, so there the scan starts again.
const pageLua = `
local index, info, run = KEYS[1], redis.pcall('INFO', 'server'), nil
if type(info) == 'string' then run = string.match(info, 'run_id:(%x+)') end
run = string.sub(run or '0', 1, 16)
local cursor = run == ARGV[2] and ARGV[3] or '0'
local found = redis.call('ZSCAN', index, cursor, 'COUNT', ARGV[4])
local page = {run, cursor, found[1]}
for i = 1, #found[2], 2 do
  local member, score = found[2][i], found[2][i + 1]
  if score ~= 'inf' and tonumber(score) <= clock then
    redis.call('ZREM', index, member)
  else
    page[#page + 1] = member
  end
end
return page`

// lookLua returns an error if the server may evict an index: EVICTS and the policy by which it
// evicts, or NOINFO if it does not tell.
const lookLua = `
local info = redis.pcall('INFO', 'memory')
if type(info) == 'table' then return redis.error_reply('NOINFO ' .. tostring(info.err)) end
local limit = string.match(info, 'maxmemory:(%d+)')
local policy = string.match(info, 'maxmemory_policy:([%w-]+)')
if not limit or not policy then
  return redis.error_reply('NOINFO it does not tell its maxmemory-policy')
end
if limit ~= '0' and policy ~= 'noeviction' then
  return redis.error_reply('EVICTS ' .. policy)
end
`
