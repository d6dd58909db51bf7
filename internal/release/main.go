// Command release makes a release of all modules under one version: it checks CHANGELOG.md, writes
// the version into every go.mod, commits that, and tags each module. Without -publish it does so
// in a copy of the repository that it throws away, and prints what it would have done.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
)

func main() {
	log.SetFlags(0)
	version := flag.String("version", "", "the version, such as v0.1.0")
	publish := flag.Bool("publish", false, "commit and tag in this repository; push them yourself")
	out := flag.String("out", "", "write module files, checksums and bills of materials to this folder")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *version, *out, *publish); err != nil {
		stop()
		log.Fatal(err) //nolint:gocritic // stop has been called.
	}
}

func run(ctx context.Context, version, out string, publish bool) error {
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	r := release{root: root, version: version}
	if err := r.check(ctx); err != nil {
		return err
	}
	if !publish {
		copied, err := os.MkdirTemp("", "release")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(copied) }()
		if r, err = r.inCopy(ctx, copied); err != nil {
			return err
		}
	}
	tags, err := r.tag(ctx)
	if err != nil {
		return err
	}
	log.Print(strings.Join(tags, "\n"))
	if out != "" {
		if err := r.writeArtifacts(ctx, out); err != nil {
			return err
		}
	}
	if publish {
		log.Print("look at the commit, then: git push origin HEAD --tags")
	} else {
		log.Print("nothing was changed; make release VERSION=" + version + " PUBLISH=yes tags it")
	}
	return nil
}
