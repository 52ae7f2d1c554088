package schema

// Nearest returns the candidate that name was most likely meant to be: the one at
// the smallest edit distance (insertions, deletions, replacements, swaps of
// neighbours), at most 2 and less than half of the name's length; the first of
// equals. It returns "" if none is near.
func Nearest(name string, candidates []string) string {
	limit := min(2, (len(name)-1)/2)
	best, at := "", limit+1
	for _, c := range candidates {
		if c == name {
			continue
		}
		if d := distance(name, c, at-1); d < at {
			best, at = c, d
		}
	}
	return best
}

// distance is the optimal string alignment distance of a and b, or more than limit.
func distance(a, b string, limit int) int {
	if limit < 0 || len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
