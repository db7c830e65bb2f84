import Metainfo

/// Which files of a dataset a machine boots from.
struct MachineFiles: Hashable {
  /// How the image's bytes are a disk.
  enum Format: String {
    /// Byte for byte.
    case raw
    /// As QEMU's own format has it.
    case qcow2
    /// A compact disc.
    case iso
  }

  /// A file, by its place in the torrent.
  struct File: Hashable {
    let index: Int
    let path: ContentPath
    let length: UInt64
  }

  /// The disk.
  let image: File
  let format: Format
  /// What the machine is started by, where the dataset has a `vmlinuz`; else the disk starts itself.
  private(set) var kernel: File?
  /// The kernel's first root; nil without kernel.
  private(set) var initrd: File?
  /// What the kernel is told; nil without kernel.
  private(set) var commandLine: File?

  /// Chooses. What `--image-help` says is done here.
  ///
  /// - Parameter path: the image, if the user named it.
  init(in info: InfoDictionary, image path: [UInt8]?) throws(Failure) {
    let files = info.files.enumerated()
      .filter { $0.element.length > 0 && $0.element.symlinkTarget == nil }
      .map { File(index: $0.offset, path: $0.element.path, length: $0.element.length) }
    image = try Self.image(among: files, named: path, of: info)
    format = Self.format(of: image)
    let folder = image.path.elements.dropLast()
    func file(_ name: String, in folder: some Collection<PathElement>) -> File? {
      files.first { file in
        file.path.elements.dropLast().elementsEqual(folder)
          && file.path.elements.last?.bytes.elementsEqual(name.utf8) == true
      }
    }
    for place in folder.isEmpty ? [folder] : [folder, []] {
      guard let found = file("vmlinuz", in: place) else { continue }
      kernel = found
      initrd = file("initrd", in: place)
      commandLine = file("cmdline", in: place)
      return
    }
  }

  private static func image(
    among files: [File], named path: [UInt8]?, of info: InfoDictionary
  ) throws(Failure) -> File {
    let images = files.filter(isImage).sorted { $0.length > $1.length }
    if let path {
      if let file = files.first(where: { $0.path.bytes.elementsEqual(path) }) { return file }
      throw Failure(
        "there is no file \(printable(path)) in \"\(info.name)\"" + listing(images, or: files))
    }
    if let largest = images.first { return largest }
    if files.count == 1 { return files[0] }
    throw Failure(
      "no file of \"\(info.name)\" looks like a disk; name one after the link"
        + listing([], or: files))
  }

  /// What could have been meant.
  private static func listing(_ images: [File], or files: [File]) -> String {
    let shown = images.isEmpty ? files.sorted { $0.length > $1.length } : images
    if shown.isEmpty { return ": it has no files" }
    return ": it has " + shown.prefix(5).map { "\($0.path)" }.joined(separator: ", ")
      + (shown.count > 5 ? " and more" : "")
  }

  /// By its name: the ends that disks have, and not those of what a kernel starts with.
  private static func isImage(_ file: File) -> Bool {
    let name = lowercaseName(file)
    return endings.contains { name.hasSuffix($0) }
      && !["initrd", "initramfs", "vmlinuz"].contains { name.hasPrefix($0) }
  }

  private static let endings = [".ext4", ".img", ".raw", ".qcow2", ".iso"]

  private static func format(of file: File) -> Format {
    let name = lowercaseName(file)
    if name.hasSuffix(".qcow2") { return .qcow2 }
    return name.hasSuffix(".iso") ? .iso : .raw
  }

  private static func lowercaseName(_ file: File) -> String {
    String(decoding: file.path.elements.last?.bytes ?? [], as: UTF8.self).lowercased()
  }
}
