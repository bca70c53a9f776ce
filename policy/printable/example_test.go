package printable_test

import (
	"fmt"

	"github.com/corsproc/corsproc/policy/printable"
)

// What others wrote reaches a terminal as characters that do nothing there.
func ExampleText() {
	fmt.Println(printable.Text("https://\x1b[31mevil\u202e.example"))
	// Output: https://\x1b[31mevil\u202e.example
}
