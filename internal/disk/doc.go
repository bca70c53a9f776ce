// Package disk asks for files whose disk may not answer: a mount whose server is gone, or a file that is none and waits
// until somebody has something to say. No system call that waits for such a disk can be taken back, so whoever waits for
// it goes away and leaves it behind: [Do] bounds how long that takes, how many are left behind, and says what it was that
// did not answer. [Run.Read] bounds what is read.
//
// It knows nothing of what the files are for.
package disk
