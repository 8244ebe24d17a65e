package mapping

import (
	"errors"
	"fmt"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
)

// mostWork bounds what one evaluation of an expression may read, in bytes. A field
// counts each time that it is named, and within a function over a list once for each
// element. So no expression runs for long or takes much memory, whatever the record
// holds, and the same record gives the same answer on a slow machine.
const mostWork = 16 << 20

// longestFilled bounds a text with its holes filled in, in bytes.
const longestFilled = 4 << 20

// How much longer it takes to match a pattern than to read the text, and one that is
// in the record itself.
const (
	patternWork    = 8
	ownPatternWork = 100
)

// cost is what the work of an expression depends on.
type cost struct {
	fields [][]string   // that it names, one for each time
	loops  [][][]string // those within each function over a list
	splits int          // calls that make a list of a text
	factor int          // how much longer its operations take than to read the fields
}

// costOf finds it out; the zero cost for a source that does not parse.
func costOf(source string) (c cost) {
	tree, err := parser.Parse(source)
	if err != nil {
		return cost{}
	}
	c.factor = 1
	c.fields = occurrences(tree.Node)
	ast.Walk(&tree.Node, visitor(func(node ast.Node) {
		switch n := node.(type) {
		case *ast.PredicateNode:
			c.loops = append(c.loops, occurrences(n.Node))
		case *ast.CallNode:
			if name, ok := n.Callee.(*ast.IdentifierNode); ok && name.Value == "split" {
				c.splits++
			}
		case *ast.BuiltinNode:
			if n.Name == "split" {
				c.splits++
			}
		case *ast.BinaryNode:
			if n.Operator == "matches" {
				c.factor = max(c.factor, patternWork)
				if _, literal := n.Right.(*ast.StringNode); !literal {
					c.factor = ownPatternWork
				}
			}
		}
	}))
	return c
}

// occurrences lists the fields that a node names, one for each time; a record that is
// used as a whole counts as a field.
func occurrences(node ast.Node) (found [][]string) {
	whole := map[string]int{}
	ast.Walk(&node, visitor(func(n ast.Node) {
		switch n := n.(type) {
		case *ast.IdentifierNode:
			whole[n.Value]++
		case *ast.MemberNode:
			if path := pathOf(n); len(path) > 1 {
				found = append(found, path)
				if len(path) == 2 {
					whole[path[0]]--
				}
			}
		}
	}))
	for name, n := range whole {
		for range n {
			found = append(found, []string{name})
		}
	}
	return found
}

// errTooMuch means that an expression would read too much.
var errTooMuch = errors.New("the expression would take too long on this record: its texts or lists are too large for it")

// check fails if an evaluation would read too much.
func (c cost) check(env map[string]any) error {
	if len(c.fields) == 0 {
		return nil
	}
	sizes, longest := 0, c.splits*mostParts
	for _, path := range c.fields {
		size, elements := extent(lookUp(env, path), 0)
		sizes, longest = sizes+size, longest+elements
	}
	work := len(c.fields) * sizes
	for _, fields := range c.loops {
		each := 16
		for _, path := range fields {
			size, _ := extent(lookUp(env, path), 0)
			each += size * len(fields)
		}
		work += longest * each
	}
	if work*c.factor > mostWork {
		return errTooMuch
	}
	return nil
}

// extent is how large a value is: its texts in bytes, and its elements. A list that
// is compared with itself costs the square of its elements.
func extent(v any, depth int) (bytes, elements int) {
	const deepest = 20
	switch v := v.(type) {
	case string:
		return len(v), 0
	case []string:
		for _, s := range v {
			bytes += len(s)
		}
		elements = len(v)
	case []any:
		for _, e := range v {
			if b, _ := extent(e, depth+1); depth < deepest {
				bytes += b
			}
		}
		elements = len(v)
	case map[string]any:
		for k, e := range v {
			if b, _ := extent(e, depth+1); depth < deepest {
				bytes += len(k) + b
			}
		}
		return bytes, len(v)
	default:
		return 8, 0
	}
	return bytes + 16*elements + elements*elements/64, elements
}

// tooLong is said of a text that grew too long.
func tooLong() error {
	return fmt.Errorf("the text is longer than %d MiB", longestFilled>>20)
}
