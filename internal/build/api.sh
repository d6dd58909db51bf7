#!/usr/bin/env bash
# Compares the interface of each released module with that of its last release. A change that breaks programs
# needs a word in CHANGELOG.md: a section "### Changed" or "### Removed" under Unreleased.
set -euo pipefail
cd "$(dirname "$0")/../.."

apidiff=$PWD/internal/build/bin/apidiff
old=$(mktemp -d)
trap 'git worktree remove --force "$old/tree" 2>/dev/null || true; rm -rf "$old"' EXIT

announced() {
	awk '/^## / { unreleased = /\[Unreleased\]/ }
		unreleased && /^### (Changed|Removed)$/ { found = 1 }
		END { exit !found }' CHANGELOG.md
}

broken=0
for module in "$@"; do
	case $module in internal/* | examples | */tests) continue ;; esac
	tag=$(git tag --list "$module/v*" --sort=-v:refname | grep -v -- - | head -n 1 || true)
	[[ -n $tag ]] || continue
	[[ -d $old/tree ]] || git worktree add --quiet --detach "$old/tree" "$tag"
	git -C "$old/tree" checkout --quiet "$tag"
	path=$(sed -n 's/^module //p' "$module/go.mod")
	(cd "$old/tree/$module" && "$apidiff" -m -w "$old/export" "$path")
	changes=$(cd "$module" && "$apidiff" -m -incompatible "$old/export" "$path")
	if [[ -n $changes ]]; then
		echo "== $module since $tag"
		echo "$changes"
		broken=1
	fi
done
if [[ $broken == 1 ]] && ! announced; then
	echo "these changes break programs: undo them, or say so under Unreleased in CHANGELOG.md, as Changed or Removed" >&2
	exit 1
fi
[[ -d $old/tree ]] || echo "there is no release yet to compare with"
