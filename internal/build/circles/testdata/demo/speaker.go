package demo

// speaker is implemented by talker; that this is asserted here is no use of talker.go.
type speaker interface{ say(text string) }

var _ speaker = talker{}

// talk in a comment, [talk], "talk" in a string, and whatever else is called talk is no use.
type gossip struct{ talk string }

func repeat(s speaker, g gossip) {
	talk := g.talk + "talk"
	s.say(talk)
}
