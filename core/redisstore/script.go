package redisstore

import (
	"strconv"

	"github.com/redis/go-redis/v9"
)

// scripts are what a store runs on the server. The client sends the hash of a script, and the script itself when the
// server does not know it: at first, and after a restart.
//
// A server makes a script's functions each time it runs. So what scripts share are not functions but pieces of text, which
// set variables for those that follow.
type scripts struct {
	save, touch, remove, enlist, members *redis.Script
}

func newScripts() scripts {
	enlist := "local slack = " + strconv.FormatInt(slack.Milliseconds(), 10) + enlistLua
	return scripts{
		save:    redis.NewScript(headLua + stateLua + saveLua + "if index then local expiry = string.sub(ARGV[3], 28, 43) " + enlist + " end " + writeLua),
		touch:   redis.NewScript(headLua + stateLua + touchLua + "if index then local expiry = ARGV[3] " + enlist + " end return 'OK'"),
		remove:  redis.NewScript(headLua + removeLua),
		enlist:  redis.NewScript("local index, key, expiry, now = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]) " + enlist + "return 1"),
		members: redis.NewScript(membersLua),
	}
}

// headLua sets key to KEYS[1], head to the header of what is stored there, and version and ends to its parts: nil if it
// is no session. The places of the parts are those of encode.
const headLua = `
local key = KEYS[1]
local head = redis.pcall('GETRANGE', key, 0, 43)
if type(head) == 'table' then
  if not string.find(head.err, 'WRONGTYPE', 1, true) then return head end
  head = 'of another type'
end
local version, ends = string.match(head, '^(cloakroom:%x+):(%d+):$')
`

// stateLua follows headLua and sets now to ARGV[2], index to KEYS[2], and state: LIVE; NONE, which includes what has
// expired; DELETED, with the version that it had; FOREIGN if it is none of ours.
const stateLua = `
local now, index, state = tonumber(ARGV[2]), KEYS[2], 'FOREIGN'
if version then
  ends = tonumber(ends)
  state = (ends == 0 or ends > now) and 'LIVE' or 'NONE'
elseif head == '' then
  if redis.call('EXISTS', key) == 0 then state = 'NONE' end
elseif #head == 26 and string.find(head, '^cloakroom:%x+$') then
  version, state = head, 'DELETED'
end
`

// enlistLua puts key into index, with a score no lower than before: its expiry, of which 0 is never. It drops entries that
// were over by slack before now, and lets the index itself expire when the last one is.
const enlistLua = `
redis.call('ZADD', index, 'GT', tonumber(expiry) == 0 and '+inf' or expiry, key)
redis.call('ZREMRANGEBYSCORE', index, '-inf', now - slack)
local last = redis.call('ZREVRANGE', index, 0, 0, 'WITHSCORES')
if last[2] == 'inf' then
  redis.call('PERSIST', index)
elseif last[2] then
  redis.call('PEXPIRE', index, math.ceil(last[2] - now + slack))
end
`

// saveLua goes on if the stored version is ARGV[1] ("": if there is none), and otherwise answers GONE, DELETED, FOREIGN or
// what is stored. KEYS[2] is the index, if the session is in one on this server.
// ARGV: expected version, now, what to store, for how long ("0": for ever).
//
// A record with the new version is this very save: the client sent it again because it did not see the reply.
const saveLua = `
if state ~= 'LIVE' or version ~= ARGV[1] then
  if state == 'FOREIGN' then return state end
  if version == string.sub(ARGV[3], 1, 26) then return state == 'LIVE' and 'OK' or state end
  if state == 'LIVE' then return redis.call('GET', key) end
  if ARGV[1] ~= '' then return 'GONE' end
end
`

// writeLua ends saveLua. For how long is counted by the client's clock, so that the server's does not matter.
const writeLua = `
if ARGV[4] == '0' then
  redis.call('SET', key, ARGV[3])
else
  redis.call('SET', key, ARGV[3], 'PX', ARGV[4])
end
return 'OK'`

// touchLua moves the expiry of the session forward if its version is ARGV[1], and goes on to the index; or answers GONE,
// CONFLICT, or OK if there is nothing to do. KEYS[2] is as in saveLua.
// ARGV: version, now, expiry as it is stored, for how long ("0": for ever).
//
// The first command that writes is one that a server without memory allows, since that lets it allow the others.
const touchLua = `
if state ~= 'LIVE' then return 'GONE' end
if version ~= ARGV[1] then return 'CONFLICT' end
if ends == 0 or ARGV[4] ~= '0' and tonumber(ARGV[3]) <= ends then return 'OK' end
if ARGV[4] == '0' then
  redis.call('PERSIST', key)
else
  redis.call('PEXPIRE', key, ARGV[4])
end
redis.call('SETRANGE', key, 27, ARGV[3])
`

// removeLua follows headLua and leaves nothing of a session but its version, for ARGV[1] milliseconds. It does nothing to
// what is no session. For the order of its commands see touchLua.
const removeLua = `
if not version then return 0 end
redis.call('UNLINK', key)
redis.call('SET', key, version, 'PX', ARGV[1])
return 1`

// membersLua returns the entries of the index KEYS[1] that end after ARGV[1], and drops those that ended by ARGV[2].
const membersLua = `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[2])
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf')`
