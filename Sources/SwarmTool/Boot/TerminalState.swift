import Glibc

/// How the terminal was set, for when a program that set it otherwise was killed.
struct TerminalState {
  private var settings: termios?
  private var flags: [CInt]

  /// As it is now.
  static func now() -> TerminalState {
    var settings = termios()
    let isTerminal = tcgetattr(STDIN_FILENO, &settings) == 0
    return TerminalState(
      settings: isTerminal ? settings : nil,
      flags: (STDIN_FILENO...STDERR_FILENO).map { fcntl($0, F_GETFL) })
  }

  /// Sets it as it was.
  func restore() {
    for (descriptor, flags) in zip(STDIN_FILENO...STDERR_FILENO, flags) where flags >= 0 {
      _ = fcntl(descriptor, F_SETFL, flags)
    }
    guard var settings, tcgetpgrp(STDIN_FILENO) == getpgrp() else { return }
    tcsetattr(STDIN_FILENO, TCSADRAIN, &settings)
  }
}
