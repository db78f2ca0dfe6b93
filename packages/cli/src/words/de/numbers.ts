import { locale } from "../locale.js"

/** A number with so many digits after the comma. */
export const decimal = (value: number, digits: number): string =>
  new Intl.NumberFormat(locale(), { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value)
