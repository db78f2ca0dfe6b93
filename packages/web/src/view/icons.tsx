import type { ComponentChildren } from "preact"

function Icon({ children, size = 20 }: { readonly children: ComponentChildren; readonly size?: number }) {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      {children}
    </svg>
  )
}

export const PlusIcon = () => (
  <Icon>
    <path d="M10 4v12M4 10h12" />
  </Icon>
)
export const SettingsIcon = () => (
  <Icon>
    <path d="M3 6h7M14 6h3M3 14h3M10 14h7" />
    <circle cx="12" cy="6" r="2" />
    <circle cx="8" cy="14" r="2" />
  </Icon>
)
export const BackIcon = () => (
  <Icon>
    <path d="M12 4.5 6.5 10l5.5 5.5" />
  </Icon>
)
export const DownIcon = () => (
  <Icon size={16}>
    <path d="M10 4v12M5 11l5 5 5-5" />
  </Icon>
)
export const MuteIcon = () => (
  <Icon size={16}>
    <path d="M5 8v4h3l4 3.5v-11L8 8zM15 8l3 4M18 8l-3 4" />
  </Icon>
)
export const UpIcon = () => (
  <Icon size={16}>
    <path d="M10 16V4M5 9l5-5 5 5" />
  </Icon>
)
export const MoreIcon = () => (
  <Icon size={16}>
    <path d="M5 10h.01M10 10h.01M15 10h.01" />
  </Icon>
)
export const SearchIcon = () => (
  <Icon>
    <circle cx="9" cy="9" r="5" />
    <path d="m13 13 3.5 3.5" />
  </Icon>
)
export const CloseIcon = () => (
  <Icon>
    <path d="m5 5 10 10M15 5 5 15" />
  </Icon>
)
export const ChevronIcon = () => (
  <Icon size={16}>
    <path d="m6 8 4 4 4-4" />
  </Icon>
)
export const TreeIcon = () => (
  <Icon>
    <path d="M10 6.5 5 13M10 6.5l5 6.5" />
    <circle cx="10" cy="5" r="2" />
    <circle cx="4.5" cy="14.5" r="2" />
    <circle cx="15.5" cy="14.5" r="2" />
  </Icon>
)
export const PeopleIcon = () => (
  <Icon>
    <circle cx="7.5" cy="7" r="3" />
    <path d="M2 16.5c0-3 2.4-5 5.5-5s5.5 2 5.5 5M13 4.3a3 3 0 0 1 0 5.4M15 12c1.9.7 3 2.3 3 4.5" />
  </Icon>
)
export const PersonIcon = () => (
  <Icon>
    <circle cx="10" cy="6.5" r="3.5" />
    <path d="M3.5 17c0-3.4 2.9-5.5 6.5-5.5s6.5 2.1 6.5 5.5" />
  </Icon>
)
export const SendIcon = () => (
  <Icon>
    <path d="M10 16V4.5M4.5 10 10 4.5l5.5 5.5" />
  </Icon>
)
export const CheckIcon = () => (
  <Icon size={14}>
    <path d="m4 10.5 4 4 8-9" />
  </Icon>
)
export const ClockIcon = () => (
  <Icon size={14}>
    <circle cx="10" cy="10" r="7" />
    <path d="M10 6v4.5l3 1.5" />
  </Icon>
)
export const AlertIcon = () => (
  <Icon>
    <path d="M10 3 2.5 16.5h15zM10 8v4M10 14.2v.1" />
  </Icon>
)
export const ShieldIcon = () => (
  <Icon size={16}>
    <path d="M10 2.5 4 5v5c0 3.8 2.5 6.3 6 7.5 3.5-1.2 6-3.7 6-7.5V5z" />
    <path d="m7 10 2.2 2.2L13 8" />
  </Icon>
)
export const KeyIcon = () => (
  <Icon>
    <circle cx="7" cy="13" r="3.5" />
    <path d="m9.5 10.5 6-6M13 7l2.5 2.5" />
  </Icon>
)
export const ExpandIcon = () => (
  <Icon>
    <path d="M11.5 4H16v4.5M16 4l-5 5M8.5 16H4v-4.5M4 16l5-5" />
  </Icon>
)
export const MinusIcon = () => (
  <Icon>
    <path d="M4 10h12" />
  </Icon>
)
export const LeaveIcon = () => (
  <Icon>
    <path d="M8 3.5H4v13h4M9 10h7.5M13 6.5l3.5 3.5-3.5 3.5" />
  </Icon>
)
export const PencilIcon = () => (
  <Icon>
    <path d="m4 16 .8-3.5L13 4.3l2.7 2.7-8.2 8.2z" />
  </Icon>
)

/** The sign of the house: two leaves and the key above them. */
export function Mark({ size = 40 }: { readonly size?: number }) {
  return (
    <svg class="mark" width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect class="mark-ground" width="32" height="32" rx="8" />
      <path class="mark-line" d="M16 13 9 21M16 13l7 8" />
      <circle class="mark-filled" cx="16" cy="10" r="4" />
      <circle class="mark-filled" cx="9" cy="22" r="3.5" />
      <circle class="mark-blank" cx="23" cy="22" r="3" />
    </svg>
  )
}
