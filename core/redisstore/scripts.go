package redisstore

import (
	"strconv"

	"github.com/redis/go-redis/v9"
)

// scripts are the Lua scripts that a store runs on the server. The client sends the hash of a
// script, and its source only if the server does not know it, as after a restart.
//
// Scripts share fragments of source, which set local variables for the fragments after them.
// They do not share functions, because a script creates its functions again each time it runs.
type scripts struct {
	save, touch, remove              *redis.Script // of a record, and of its index if it is local
	add, mark, settle, members, page *redis.Script // of an index
	look                             *redis.Script
}

// The replies of the scripts about a record. compareLua and extendLua describe them.
const (
	replyOK       = "OK"
	replyGone     = "GONE"
	replyConflict = "CONFLICT"
	replyDeleted  = "DELETED"
)

func newScripts() scripts {
	return scripts{
		save: redis.NewScript(saveLua()),
		touch: redis.NewScript(headerLua + stateLua + subjectLua + extendLua +
			"if index then " + clockLua + setEntryLua + trimLua + " end return {'OK', ttl}"),
		remove: redis.NewScript(headerLua + subjectLua + removeLua +
			"if ARGV[2] == '' or subject == '' then return subject end " +
			"local index = ARGV[2] .. subject " + clockLua + removeEntryLua + "return ''"),
		add: redis.NewScript(lookIf(3) +
			"local index, key, ttl = KEYS[1], ARGV[1], tonumber(ARGV[2]) " +
			clockLua + raiseEntryLua + trimLua + "return 'OK'"),
		mark:    redis.NewScript(clockLua + markLua),
		settle:  redis.NewScript(clockLua + settleLua + trimLua + "return 'OK'"),
		members: redis.NewScript(lookIf(1) + clockLua + membersLua),
		page:    redis.NewScript(lookIf(1) + clockLua + pageLua),
		look:    redis.NewScript(lookLua + "return 'OK'"),
	}
}

// saveLua returns the source of the script that saves a record.
func saveLua() string {
	return lookIf(5) + headerLua + stateLua + compareLua + subjectLua +
		"if index then local ttl = tonumber(ARGV[4]) " +
		clockLua + setEntryLua + trimLua + " end " +
		writeLua + leaveLua
}

// lookIf returns lookLua for scripts that look if the argument of that number is "1".
func lookIf(argument int) string {
	return "if ARGV[" + strconv.Itoa(argument) + "] == '1' then " + lookLua + " end "
}

// headerLua reads the header of the session under KEYS[1]. It sets key to KEYS[1] and header
// to the first bytes of the value. It sets version and expiry to the two parts of the header,
// or version to nil if the value is not a session. It sets size to the length of the subject,
// as text. The offsets are those of encode.
const headerLua = `
local key = KEYS[1]
local header = redis.pcall('GETRANGE', key, 0, 127)
if type(header) == 'table' then
  if not string.find(header.err, 'WRONGTYPE', 1, true) then return header end
  header = 'of another type'
end
local version, expiry, from, size = string.match(header, '^(cloakroom:%x+):(%d+):()(%d*)')
if from ~= 45 then version = nil end
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

// subjectLua follows headerLua. It sets subject to that of the session, or to ”. Nearly every
// subject is among the bytes that headerLua has read.
const subjectLua = `
local subject = ''
if version and size and size ~= '' and size ~= '0' and #size < 10 then
  from = from + #size + 1
  subject = string.sub(header, from, from + size - 1)
  if #subject < tonumber(size) then
    subject = redis.call('GETRANGE', key, from - 1, from + size - 2)
  end
end
`

// compareLua follows stateLua. It lets the script continue if the stored version is ARGV[1],
// or if ARGV[1] is empty and there is no session. Otherwise the script returns GONE, DELETED,
// FOREIGN or the stored session.
//
// KEYS: the session, and its index if there is one on this server. ARGV: the expected version,
// now, the new value, its time to live ("0" means forever), "1" to look at the settings, and
// the prefix of indexes on this server, or "".
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

// writeLua writes the session. The time to live is computed from the client's clock, so the
// server's clock does not matter.
const writeLua = `
if ARGV[4] == '0' then
  redis.call('SET', key, ARGV[3])
else
  redis.call('SET', key, ARGV[3], 'PX', ARGV[4])
end
`

// leaveLua ends the script of a save. If the session had another subject, it leaves that
// subject's index. If the index may be on another server, the script returns the former subject
// and expiry instead.
const leaveLua = `
if subject == '' then return 'OK' end
if ARGV[6] == '' then return {'OK', subject, expiry} end
local former = ARGV[6] .. subject
if former ~= index then
  index = former
  ` + clockLua + removeEntryLua + `
end
return 'OK'`

// extendLua follows stateLua and subjectLua. If the stored version is ARGV[1], it extends the
// session's expiry if that is earlier, sets ttl to the time that the session has left (0 means
// forever), and lets the script continue with the index. Otherwise the script returns GONE, or
// CONFLICT and the subject.
//
// KEYS: as for compareLua. ARGV: the version, now, the expiry as stored, the time to live ("0"
// means forever).
//
// A server at its maxmemory refuses commands that need memory until a script has written
// something. So the first command that writes is one that the server always allows.
const extendLua = `
if state ~= 'LIVE' then return {'GONE'} end
if version ~= ARGV[1] then return {'CONFLICT', subject} end
if expiry ~= 0 and (ARGV[4] == '0' or tonumber(ARGV[3]) > expiry) then
  if ARGV[4] == '0' then
    redis.call('PERSIST', key)
  else
    redis.call('PEXPIRE', key, ARGV[4])
  end
  redis.call('SETRANGE', key, 27, ARGV[3])
elseif index then
  redis.call('ZREM', index, '\0' .. key)
end
local ttl = redis.call('PTTL', key)
if ttl == -1 then ttl = 0 else ttl = math.max(ttl, 1) end
`

// removeLua follows subjectLua. It replaces a session by its version alone, for ARGV[1]
// milliseconds. It leaves any other value as it is. UNLINK comes first for the reason given at
// extendLua. ARGV[2] is the prefix of indexes on this server, or ”. If it is ”, the script
// returns the session's subject.
const removeLua = `
if not version then return '' end
redis.call('UNLINK', key)
redis.call('SET', key, version, 'PX', ARGV[1])
`
