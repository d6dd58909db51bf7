package redisstore

import (
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// scripts are the Lua scripts that a store runs on the server. The client sends the hash of a
// script, and its source only if the server does not know it, as after a restart.
//
// Scripts share fragments of source, which set local variables for the fragments after them.
// They do not share functions, because a script creates its functions again each time it runs.
type scripts struct {
	save, touch, remove, addToIndex, members *redis.Script
}

// clockSlack is how long a member stays in an index after its expiry, and an index after that
// of its last member. It makes up for the difference between the clocks of several processes.
const clockSlack = 24 * time.Hour

func newScripts() scripts {
	addToIndex := "local slack = " + strconv.FormatInt(clockSlack.Milliseconds(), 10) +
		addToIndexLua
	return scripts{
		save: redis.NewScript(headerLua + stateLua + compareLua +
			"if index then local score = string.sub(ARGV[3], 28, 43) " + addToIndex + " end " +
			writeLua),
		touch: redis.NewScript(headerLua + stateLua + extendLua +
			"if index then local score = ARGV[3] " + addToIndex + " end return 'OK'"),
		remove: redis.NewScript(headerLua + removeLua),
		addToIndex: redis.NewScript(
			"local index, key, score, now = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]) " +
				addToIndex + "return 1"),
		members: redis.NewScript(membersLua),
	}
}

// headerLua reads the header of the session under KEYS[1]. It sets key to KEYS[1] and header
// to the first bytes of the value. It sets version and expiry to the two parts of the header,
// or to nil if the value is not a session. The offsets are those of encode.
const headerLua = `
local key = KEYS[1]
local header = redis.pcall('GETRANGE', key, 0, 43)
if type(header) == 'table' then
  if not string.find(header.err, 'WRONGTYPE', 1, true) then return header end
  header = 'of another type'
end
local version, expiry = string.match(header, '^(cloakroom:%x+):(%d+):$')
`

// stateLua follows headerLua. It sets now to ARGV[2], index to KEYS[2], and state to one of:
//
//   - LIVE: there is a session that has not expired
//   - NONE: there is nothing, or an expired session
//   - DELETED: there is what remains of a deleted session, and version is set to its version
//   - FOREIGN: there is a value that the store has not written
const stateLua = `
local now, index, state = tonumber(ARGV[2]), KEYS[2], 'FOREIGN'
if version then
  expiry = tonumber(expiry)
  state = (expiry == 0 or expiry > now) and 'LIVE' or 'NONE'
elseif header == '' then
  if redis.call('EXISTS', key) == 0 then state = 'NONE' end
elseif #header == 26 and string.find(header, '^cloakroom:%x+$') then
  version, state = header, 'DELETED'
end
`

// addToIndexLua adds key to index. Its score is the expiry, or infinity if that is 0, and is
// never lowered. It then removes the members whose score is more than slack before now, and
// makes the index expire slack after its last member does.
const addToIndexLua = `
redis.call('ZADD', index, 'GT', tonumber(score) == 0 and '+inf' or score, key)
redis.call('ZREMRANGEBYSCORE', index, '-inf', now - slack)
local last = redis.call('ZREVRANGE', index, 0, 0, 'WITHSCORES')
if last[2] == 'inf' then
  redis.call('PERSIST', index)
elseif last[2] then
  redis.call('PEXPIRE', index, math.ceil(last[2] - now + slack))
end
`

// compareLua follows stateLua. It lets the script continue if the stored version is ARGV[1],
// or if ARGV[1] is empty and there is no session. Otherwise the script returns GONE, DELETED,
// FOREIGN or the stored session.
//
// KEYS: the session, and its index if there is one on this server. ARGV: the expected version,
// now, the new value, its time to live ("0" means forever).
//
// If the stored version is the new one already, the client has repeated this save because it
// did not receive the reply.
const compareLua = `
if state ~= 'LIVE' or version ~= ARGV[1] then
  if state == 'FOREIGN' then return state end
  if version == string.sub(ARGV[3], 1, 26) then return state == 'LIVE' and 'OK' or state end
  if state == 'LIVE' then return redis.call('GET', key) end
  if ARGV[1] ~= '' then return 'GONE' end
end
`

// writeLua ends the script of a save. The time to live is computed from the client's clock, so
// the server's clock does not matter.
const writeLua = `
if ARGV[4] == '0' then
  redis.call('SET', key, ARGV[3])
else
  redis.call('SET', key, ARGV[3], 'PX', ARGV[4])
end
return 'OK'`

// extendLua follows stateLua. If the stored version is ARGV[1], it extends the session's
// expiry and lets the script continue with the index. Otherwise the script returns GONE or
// CONFLICT, and OK if the session already lasts as long.
//
// KEYS: as for compareLua. ARGV: the version, now, the expiry as stored, the time to live ("0"
// means forever).
//
// A server at its maxmemory refuses commands that need memory until a script has written
// something. So the first command that writes is one that the server always allows.
const extendLua = `
if state ~= 'LIVE' then return 'GONE' end
if version ~= ARGV[1] then return 'CONFLICT' end
if expiry == 0 or ARGV[4] ~= '0' and tonumber(ARGV[3]) <= expiry then return 'OK' end
if ARGV[4] == '0' then
  redis.call('PERSIST', key)
else
  redis.call('PEXPIRE', key, ARGV[4])
end
redis.call('SETRANGE', key, 27, ARGV[3])
`

// removeLua follows headerLua. It replaces a session by its version alone, for ARGV[1]
// milliseconds. It leaves any other value as it is. UNLINK comes first for the reason given at
// extendLua.
const removeLua = `
if not version then return 0 end
redis.call('UNLINK', key)
redis.call('SET', key, version, 'PX', ARGV[1])
return 1`

// membersLua returns the members of the index KEYS[1] whose score is greater than ARGV[1]. It
// removes those whose score is ARGV[2] or less.
const membersLua = `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[2])
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf')`
