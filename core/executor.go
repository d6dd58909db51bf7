package core

// executor carries out commit plans. It makes all calls of the store for a commit, and knows no
// Session.
type executor struct {
	*records
	composer
	entropy     entropy
	maxSessions int // per subject; 0 for any number
	onLimit     LimitPolicy
	saveQueues  *queues // by session, for commits that met a conflict
	loginQueues *queues // by subject, for logins if sessions are limited
}
