import Glibc

/// Where the program speaks: results on standard output, everything else on standard error.
enum Console {
  /// A line of results. A result that cannot be told is a failure.
  static func result(_ line: String, to descriptor: CInt = STDOUT_FILENO) throws(Failure) {
    try result(bytes: Array((line + "\n").utf8), to: descriptor)
  }

  /// A result in bytes.
  static func result(bytes: [UInt8], to descriptor: CInt = STDOUT_FILENO) throws(Failure) {
    let number = bytes.withUnsafeBytes { write($0, to: descriptor) }
    if number != 0 {
      let place = descriptor == STDOUT_FILENO ? "standard output" : "the file for results"
      throw Failure("cannot write to \(place): \(String(cString: strerror(number)))")
    }
  }

  /// What standard input has up to its end, and no more than `limit` bytes of it.
  static func input(limit: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: limit) { buffer, done in
      while done < limit {
        let count = read(STDIN_FILENO, buffer.baseAddress.map { $0 + done }, limit - done)
        if count > 0 { done += count } else if count == 0 || errno != EINTR { return }
      }
    }
  }

  /// A line about the work.
  static func note(_ line: String) { _ = write(line + "\n", to: STDERR_FILENO) }

  /// Something that is not as it should be; the work goes on.
  static func warn(_ text: String) { note("swarm: \(warningMark) \(text)") }

  /// Why the program ends without having done what was asked for.
  static func fail(_ text: String) { note(Paint.errors("swarm:", .fault) + " " + text) }

  /// How a warning begins.
  static var warningMark: String { Paint.errors("warning:", .warning) }

  /// Text on standard error without a line end, shown at once.
  static func overwrite(_ text: String) { _ = write(text, to: STDERR_FILENO) }

  /// Whether standard error is a terminal on which a line can be written anew.
  static var isInteractive: Bool {
    isatty(STDERR_FILENO) == 1 && getenv("TERM").map { String(cString: $0) } != "dumb"
  }

  /// Whether the terminal is this program's to write lines anew on: in the background it is the shell's, and what
  /// people type there must not be drawn over.
  /// One that is not the program's controlling terminal has no foreground, and nobody types there.
  static var isInForeground: Bool {
    let group = tcgetpgrp(STDERR_FILENO)
    return group < 0 || group == getpgrp()
  }

  /// How often the program went on after it was stopped, as by Ctrl-Z: what was drawn before is not the last on
  /// the terminal any more. Counted once `countContinuations` was called.
  static var continuations: CInt { continuationCount }

  /// Written by a signal handler alone.
  private nonisolated(unsafe) static var continuationCount: CInt = 0

  /// Counts from now on.
  static func countContinuations() {
    // It is made here, not in the handler.
    _ = continuationCount
    _ = signal(SIGCONT) { _ in Console.continuationCount &+= 1 }
  }

  /// Occupies the standard descriptors that the program was started without, so that no file which
  /// it opens is taken for one of them. Writing to them fails as before.
  static func occupyStandardDescriptors() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
      _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
  }

  /// Clears the line of the terminal before a signal ends the program.
  static func clearLineWhenInterrupted() {
    for number in [SIGINT, SIGTERM, SIGHUP] {
      let former = signal(number) { number in
        let clear: StaticString = "\r\u{1B}[K"
        if Console.isInForeground {
          _ = Glibc.write(STDERR_FILENO, clear.utf8Start, clear.utf8CodeUnitCount)
        }
        _ = signal(number, SIG_DFL)
        _ = raise(number)
      }
      // As nohup wants it.
      if let former, unsafeBitCast(former, to: Int.self) == 1 { _ = signal(number, former) }
    }
  }

  /// Columns of the terminal, 80 if it does not say.
  static var width: Int {
    var size = winsize()
    let status = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size)
    return status == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
  }

  /// Columns of the terminal that results go to; nil where they go elsewhere.
  static var resultsWidth: Int? {
    var size = winsize()
    guard isatty(STDOUT_FILENO) == 1 else { return nil }
    let status = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size)
    return status == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
  }

  /// Returns `errno`, 0 when all is written. A reader that went away ends the program by SIGPIPE.
  private static func write(_ text: String, to descriptor: CInt) -> CInt {
    var text = text
    return text.withUTF8 { write(UnsafeRawBufferPointer($0), to: descriptor) }
  }

  private static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: CInt) -> CInt {
    var done = 0
    while done < bytes.count {
      let count = Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
      if count > 0 { done += count } else if errno != EINTR { return errno }
    }
    return 0
  }
}
