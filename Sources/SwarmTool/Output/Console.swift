import Glibc

/// Where the program speaks: results on standard output, everything else on standard error.
enum Console {
  /// A line of results.
  static func result(_ line: String) { write(line + "\n", to: stdout) }

  /// A line about the work.
  static func note(_ line: String) { write(line + "\n", to: stderr) }

  /// Text on standard error without a line end, shown at once.
  static func overwrite(_ text: String) { write(text, to: stderr) }

  /// Whether standard error is a terminal.
  static var isInteractive: Bool { isatty(STDERR_FILENO) == 1 }

  /// Columns of the terminal, 80 if it does not say.
  static var width: Int {
    var size = winsize()
    let status = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size)
    return status == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
  }

  private static func write(_ text: String, to stream: OpaquePointer?) {
    text.withCString { _ = fputs($0, stream) }
    fflush(stream)
  }
}
