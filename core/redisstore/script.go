package redisstore

import (
	"strconv"

	"github.com/redis/go-redis/v9"
)

// scripts are what a store runs on the server. The client sends the hash of a script, and the script itself when the
// server does not know it: at first, and after a restart.
type scripts struct {
	save, touch, remove, enlist, members *redis.Script
}

func newScripts() scripts {
	indexLua := "local slack = " + strconv.FormatInt(slack.Milliseconds(), 10) + enlistLua
	return scripts{
		save:    redis.NewScript(storedLua + indexLua + expireLua + saveLua),
		touch:   redis.NewScript(storedLua + indexLua + expireLua + touchLua),
		remove:  redis.NewScript(removeLua),
		enlist:  redis.NewScript(indexLua + `return enlist(KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]))`),
		members: redis.NewScript(membersLua),
	}
}

// storedLua looks at what is stored under a key: LIVE with version and expiry; NONE, which includes what has expired;
// DELETED with the version it had; FOREIGN if it is none of ours.
const storedLua = `
local function stored(key, now)
  local r = redis.pcall('HMGET', key, 'v', 'e')
  if r.err then
    if string.find(r.err, 'WRONGTYPE', 1, true) then return 'FOREIGN' end
    redis.call('HMGET', key, 'v', 'e')
  end
  if not r[1] then
    if redis.call('EXISTS', key) == 1 then return 'FOREIGN' end
    return 'NONE'
  end
  if not r[2] then
    if redis.call('HLEN', key) == 1 then return 'DELETED', r[1] end
    return 'FOREIGN'
  end
  local e = tonumber(r[2])
  if not e then return 'FOREIGN' end
  if e ~= 0 and e <= now then return 'NONE' end
  return 'LIVE', r[1], e
end
`

// enlistLua puts a session's key into an index, with a score no lower than before: its expiry ("0": never). It drops
// entries that are over by more than slack, and lets the index itself expire when the last one is.
const enlistLua = `
local function enlist(index, key, expiry, now)
  redis.call('ZADD', index, 'GT', expiry == '0' and '+inf' or expiry, key)
  redis.call('ZREMRANGEBYSCORE', index, '-inf', now - slack)
  local last = redis.call('ZREVRANGE', index, 0, 0, 'WITHSCORES')
  if not last[1] then return 0 end
  if last[2] == 'inf' then return redis.call('PERSIST', index) end
  return redis.call('PEXPIRE', index, math.ceil(last[2] - now + slack))
end
`

// expireLua has a key expire ("0": never). Both instants are the client's, so that the server's clock does not matter.
const expireLua = `
local function expire(key, expiry, now)
  if expiry == '0' then return redis.call('PERSIST', key) end
  return redis.call('PEXPIRE', key, math.max(expiry - now, 1))
end
`

// saveLua stores the hash at KEYS[1] if its version is ARGV[1] ("0": if there is none) and answers OK, or else GONE,
// DELETED, FOREIGN or the fields that are there. KEYS[2] is the index, if the session is in one on this server.
// ARGV: expected version, new version, now, expiry ("0": never), subject, data.
//
// A record with the new version is this very save: the client sent it again because it did not see the reply.
const saveLua = `
local now = tonumber(ARGV[3])
local state, v = stored(KEYS[1], now)
if state == 'FOREIGN' then return state end
if v == ARGV[2] then
  if state == 'LIVE' then return 'OK' end
  return state
end
if state == 'LIVE' then
  if v ~= ARGV[1] or v == '0' then return redis.call('HMGET', KEYS[1], 'v', 'e', 's', 'd') end
elseif ARGV[1] ~= '0' then
  return 'GONE'
end
if KEYS[2] then enlist(KEYS[2], KEYS[1], ARGV[4], now) end
redis.call('HSET', KEYS[1], 'v', ARGV[2], 'e', ARGV[4], 's', ARGV[5], 'd', ARGV[6])
expire(KEYS[1], ARGV[4], now)
return 'OK'`

// touchLua moves the expiry of the hash at KEYS[1] forward if its version is ARGV[1], and answers OK, GONE or CONFLICT.
// KEYS[2] is as in saveLua. ARGV: version, now, expiry ("0": never).
//
// The first command that writes is one that a server without memory allows, since that lets it allow the others.
const touchLua = `
local now = tonumber(ARGV[2])
local state, v, e = stored(KEYS[1], now)
if state ~= 'LIVE' then return 'GONE' end
if v ~= ARGV[1] then return 'CONFLICT' end
if e ~= 0 and (ARGV[3] == '0' or tonumber(ARGV[3]) > e) then
  expire(KEYS[1], ARGV[3], now)
  redis.call('HSET', KEYS[1], 'e', ARGV[3])
  if KEYS[2] then enlist(KEYS[2], KEYS[1], ARGV[3], now) end
end
return 'OK'`

// removeLua leaves nothing of a session but its version, for ARGV[1] milliseconds. It does nothing to what is no session.
const removeLua = `
if redis.call('TYPE', KEYS[1])['ok'] ~= 'hash' or redis.call('HEXISTS', KEYS[1], 'v') == 0 then return 0 end
if redis.call('HDEL', KEYS[1], 'e', 's', 'd') == 0 then return 0 end
if redis.call('HLEN', KEYS[1]) > 1 then return redis.call('UNLINK', KEYS[1]) end
return redis.call('PEXPIRE', KEYS[1], ARGV[1])`

// membersLua returns the entries of the index KEYS[1] that end after ARGV[1], and drops those that ended by ARGV[2].
const membersLua = `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[2])
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf')`
