import ArgumentParser
import Glibc
import SwarmNode

/// Who runs the guest's instructions.
enum Acceleration: String, ExpressibleByArgument, CaseIterable {
  /// The processor where that works, QEMU where not.
  case auto
  /// The processor.
  case kvm
  /// QEMU.
  case tcg
}

/// Looks whether KVM works here: whether a machine with nothing in it, that ends when its firmware finds
/// nothing to start, does so soon. There are machines, themselves virtual, that have `/dev/kvm` and on
/// which every step of a guest takes so long that QEMU's own emulation is many times faster.
///
/// Belongs to the loop's thread.
final class AccelerationProbe {
  /// What the machine with nothing in it takes: a quarter of a second where all is well, five where the
  /// host emulates.
  static let patience: UInt64 = 2_000  // milliseconds

  private var child: ChildProcess?
  private var timer: DeadlineTimer?
  private var completion: ((Bool) -> Void)?

  init(_ program: [UInt8], on loop: EventLoop, completion: @escaping (_ works: Bool) -> Void) {
    self.completion = completion
    let words = [
      "-accel", "kvm", "-nodefaults", "-display", "none", "-no-reboot", "-boot",
      "reboot-timeout=0",
    ]
    guard access("/dev/kvm", R_OK | W_OK) == 0 else {
      finish(false)
      return
    }
    do throws(SystemError) {
      child = try ChildProcess(
        [program] + words.map { Array($0.utf8) }, streams: .none, on: loop
      ) { [self] in finish($0 == .exited(0)) }
    } catch {
      finish(false)
      return
    }
    timer = DeadlineTimer(on: loop) { [unowned self] in finish(false) }
    timer?.set(milliseconds: Self.patience)
  }

  /// Gives up: nobody waits for it any more.
  func cancel() {
    completion = nil
    finish(false)
  }

  private func finish(_ works: Bool) {
    child?.send(signal: SIGKILL)
    child = nil
    timer?.close()
    timer = nil
    completion?(works)
    completion = nil
  }
}
