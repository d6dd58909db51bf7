package memcachedstore

// The constants of the hash FNV-1a.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// fnv1a adds text to the hash h.
func fnv1a(h uint64, text string) uint64 {
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * fnvPrime
	}
	return h
}

// seedOf returns the seed of a server's scores.
func seedOf(address string) uint64 { return fnv1a(fnvOffset, address+"\x00") }

// score returns the score of a server for a key. The server with the highest score has the
// key.
//
// FNV-1a alone gives similar keys similar high bits, so the hash is mixed further. The result
// must be the same in each process and each release: a change would end all sessions.
func score(seed uint64, key string) uint64 {
	h := fnv1a(seed, key)
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
