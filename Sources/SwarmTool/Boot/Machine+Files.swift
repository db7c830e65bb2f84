import Glibc
import Metainfo
import SwarmNode

/// What QEMU is given at its start, as files of its own: verified, and nobody's to change.
extension Machine {
  /// Largest kernel and first root: Debian's with all modules are a fifth of it.
  private static let mostBytes: UInt64 = 512 << 20
  /// Largest line for the kernel: x86 takes 2048 bytes, others no more than this.
  private static let mostLine: UInt64 = 4096

  func prepare(_ files: MachineFiles, in session: TransferSession) throws(Failure) {
    if let file = files.kernel {
      isReady.kernel = try copy(file, as: "vmlinuz", in: session)
    }
    if let file = files.initrd { isReady.initrd = try copy(file, as: "initrd", in: session) }
    if let file = files.commandLine {
      guard file.length <= Self.mostLine else {
        throw Failure("\(file.path) has more than \(Self.mostLine) bytes")
      }
      read(Self.mostLine, of: file, in: session) { [unowned self] bytes throws(Failure) in
        guard !bytes.contains(0) else { throw Failure("\(file.path) is no text") }
        isReady.commandLine = bytes
      }
    }
    if files.format == .qcow2 {
      read(UInt64(QCOW2Header.length), of: files.image, in: session) { bytes throws(Failure) in
        if let fault = QCOW2Header.fault(in: bytes) {
          throw Failure("\(files.image.path) cannot be booted: \(fault)")
        }
      }
    }
  }

  private func read(
    _ bytes: UInt64, of file: MachineFiles.File, in session: TransferSession,
    use: @escaping ([UInt8]) throws(Failure) -> Void
  ) {
    guard let torrent else { return }
    isReady.outstanding += 1
    FileFetch.memory(bytes, of: file, in: torrent, on: session.node, timeout: wishes.readTimeout) {
      [unowned self] result in
      do throws(Failure) {
        try use(try result.get())
        fetched(in: session)
      } catch {
        session.fail(error.message)
      }
    }
  }

  /// Copies a file. Returns where it will be.
  private func copy(
    _ file: MachineFiles.File, as name: String, in session: TransferSession
  ) throws(Failure) -> [UInt8]? {
    guard let torrent else { return nil }
    guard file.length <= Self.mostBytes else {
      throw Failure("\(file.path) has more than \(Quantity.bytes(Self.mostBytes))")
    }
    let (path, descriptor) = try folder.file(name)
    isReady.outstanding += 1
    _ = FileFetch(
      file.length, of: file, in: torrent, on: session.node, timeout: wishes.readTimeout,
      sink: { bytes, offset throws(Failure) in
        try Self.write(bytes, at: offset, to: descriptor, path)
      },
      completion: { [unowned self] failure in
        Glibc.close(descriptor)
        if let failure { return session.fail(failure.message) }
        fetched(in: session)
      })
    return path
  }

  /// Into the system's memory: nothing that the loop would wait for.
  private static func write(
    _ bytes: UnsafeRawBufferPointer, at offset: UInt64, to descriptor: CInt, _ path: [UInt8]
  ) throws(Failure) {
    var done = 0
    while done < bytes.count {
      let count = pwrite(
        descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset) + done)
      if count > 0 { done += count; continue }
      if errno == EINTR { continue }
      throw Failure("cannot write \(printable(path)): \(String(cString: strerror(errno)))")
    }
  }

  private func fetched(in session: TransferSession) {
    isReady.outstanding -= 1
    startIfReady(in: session)
  }
}
