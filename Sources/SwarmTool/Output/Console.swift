import Glibc

/// Where the program speaks: results on standard output, everything else on standard error.
enum Console {
  /// A line of results.
  static func result(_ line: String) { write(line + "\n", to: STDOUT_FILENO) }

  /// A line about the work.
  static func note(_ line: String) { write(line + "\n", to: STDERR_FILENO) }

  /// Text on standard error without a line end, shown at once.
  static func overwrite(_ text: String) { write(text, to: STDERR_FILENO) }

  /// Whether standard error is a terminal.
  static var isInteractive: Bool { isatty(STDERR_FILENO) == 1 }

  /// Columns of the terminal, 80 if it does not say.
  static var width: Int {
    var size = winsize()
    let status = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size)
    return status == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
  }

  /// A reader that went away ends the program by SIGPIPE; other failures have nowhere to be told.
  private static func write(_ text: String, to descriptor: CInt) {
    var text = text
    text.withUTF8 { bytes in
      var done = 0
      while done < bytes.count {
        let count = Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
        if count > 0 { done += count } else if errno != EINTR { return }
      }
    }
  }
}
